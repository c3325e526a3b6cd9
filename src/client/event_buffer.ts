import { type ExecEvent, ProcessError, type ProcessEvent } from "./exec_process.ts";

type OutputEvent = Extract<ExecEvent, { kind: "output" }>;

/** A range of dropped output, both ends included, to be fetched again when its turn comes. */
interface Skipped {
  readonly kind: "skipped";
  readonly from: number;
  to: number;
}

/** What to do when a consumer is slower than its process. */
export type OverflowPolicy =
  /** Drop output, and fetch it again when its turn comes. */
  | {
    readonly kind: "fetchAgain";
    readonly fetch: (from: number, to: number) => Promise<OutputEvent[]>;
    /** Called when dropped output is no longer retained. */
    readonly failed: (error: ProcessError) => void;
  }
  /** Make the process wait. */
  | { readonly kind: "wait"; readonly hold: () => void; readonly release: () => void };

/** The events of a process that wait for its consumer. */
export class EventBuffer implements AsyncIterableIterator<ExecEvent, void> {
  readonly #limit: number;
  readonly #policy: OverflowPolicy;
  #items: (ExecEvent | Skipped)[] = [];
  #bytes = 0;
  #holding = false;
  #discarding = false;
  #ended = false;
  #wake: PromiseWithResolvers<void> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** @param limit output waiting for the consumer, in bytes, past which the policy applies */
  constructor(limit: number, policy: OverflowPolicy) {
    this.#limit = limit;
    this.#policy = policy;
  }

  push(event: ExecEvent): void {
    if (this.#ended) return;
    this.#ended = event.kind === "closed" || event.kind === "failed";
    if (event.kind === "output") this.#pushOutput(event);
    else this.#items.push(event);
    this.#wake?.resolve();
  }

  /** The next event; concurrent calls are answered in their order. */
  next(): Promise<IteratorResult<ExecEvent, void>> {
    const result = this.#turn.then(() => this.#take());
    this.#turn = result;
    return result;
  }

  /** The consumer stops; waiting and later events are dropped. */
  return(): Promise<IteratorResult<ExecEvent, void>> {
    this.#discarding = true;
    this.#items = [];
    this.#bytes = 0;
    this.#release();
    this.#wake?.resolve();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #take(): Promise<IteratorResult<ExecEvent, void>> {
    while (true) {
      const item = this.#items.shift();
      if (item === undefined) {
        if (this.#ended || this.#discarding) return { done: true, value: undefined };
        this.#wake = Promise.withResolvers();
        await this.#wake.promise;
      } else if (item.kind === "skipped") {
        await this.#fetch(item);
      } else {
        if (item.kind === "output") this.#taken(item);
        return { done: false, value: item };
      }
    }
  }

  #pushOutput(event: OutputEvent): void {
    if (this.#discarding) return;
    const full = this.#bytes > 0 && this.#bytes + event.bytes.length > this.#limit;
    if (full && this.#policy.kind === "fetchAgain") return this.#skip(event.seq);
    this.#items.push(event);
    this.#bytes += event.bytes.length;
    if (!full || this.#policy.kind !== "wait" || this.#holding) return;
    this.#holding = true;
    this.#policy.hold();
  }

  #skip(seq: number): void {
    const last = this.#items.at(-1);
    if (last?.kind === "skipped") last.to = seq;
    else this.#items.push({ kind: "skipped", from: seq, to: seq });
  }

  #taken({ bytes }: OutputEvent): void {
    this.#bytes -= bytes.length;
    if (this.#bytes <= this.#limit / 2) this.#release();
  }

  #release(): void {
    if (!this.#holding || this.#policy.kind !== "wait") return;
    this.#holding = false;
    this.#policy.release();
  }

  /** Fetches all output dropped so far, and puts it in its place. */
  async #fetch(first: Skipped): Promise<void> {
    if (this.#policy.kind !== "fetchAgain") return;
    const skipped = [first, ...this.#items.filter((item) => item.kind === "skipped")];
    this.#items = this.#items.filter((item) => item.kind !== "skipped");
    const fetched = await this.#policy.fetch(first.from, skipped.at(-1)?.to ?? first.to)
      .catch(() => []);
    const events = fetched.filter(({ seq }) =>
      skipped.some(({ from, to }) => from <= seq && seq <= to)
    );
    const wanted = skipped.reduce((sum, { from, to }) => sum + to - from + 1, 0);
    if (events.length !== wanted) return this.#lost(this.#policy.failed);
    this.#bytes += events.reduce((sum, { bytes }) => sum + bytes.length, 0);
    this.#items = [...events, ...this.#items].sort((a, b) => position(a) - position(b));
  }

  /** The next output is lost; what follows it is dropped. */
  #lost(failed: (error: ProcessError) => void): void {
    const error = new ProcessError(
      "outputLost",
      "output was lost: the consumer fell behind the process by more than the executor retains",
    );
    this.#items = [{ kind: "failed", error }];
    this.#ended = true;
    failed(error);
  }
}

/** The sequence number by which items are ordered. */
function position(item: ExecEvent | Skipped): number {
  switch (item.kind) {
    case "skipped":
      return item.from;
    case "failed":
      return Infinity;
    default:
      return item.seq;
  }
}

/**
 * Publishes the events of one process in order, each once, in whatever order they arrive. Some executors
 * now and then swap two events, and after a reconnect events come from two sources: live and retained.
 */
export class EventSequence {
  readonly #publish: (event: ProcessEvent) => void;
  readonly #ahead = new Map<number, ProcessEvent>();
  /** The number before the first event that is published. */
  readonly start: number;
  #next: number;
  #exitKnown = false;

  /**
   * @param publish called with every event, in order
   * @param afterSeq the number before the first event that is published
   */
  constructor(publish: (event: ProcessEvent) => void, afterSeq = 0) {
    this.#publish = publish;
    this.start = afterSeq;
    this.#next = afterSeq + 1;
  }

  /** The sequence number of the last event that was published, 0 before the first. */
  get lastPublished(): number {
    return this.#next - 1;
  }

  /** Whether an event is missing before others that have arrived. */
  get gapped(): boolean {
    return this.#ahead.size > 0;
  }

  /** Whether the event `exited` has arrived. */
  get exitKnown(): boolean {
    return this.#exitKnown;
  }

  /** Adds an event, unless it was added before. */
  accept(event: ProcessEvent): void {
    if (event.seq < this.#next || this.#ahead.has(event.seq)) return;
    this.#exitKnown ||= event.kind === "exited";
    this.#ahead.set(event.seq, event);
    for (let next = this.#take(); next !== undefined; next = this.#take()) this.#publish(next);
  }

  /** Publishes an end that came before the first event, as whoever follows from then on must learn it. */
  acceptEarlier(end: Exclude<ProcessEvent, { kind: "output" }>): void {
    this.#exitKnown = true;
    this.#publish(end);
  }

  /** The sequence numbers below `end` whose events have not arrived. */
  missingBefore(end: number): number[] {
    const missing: number[] = [];
    for (let seq = this.#next; seq < end; seq++) {
      if (!this.#ahead.has(seq)) missing.push(seq);
    }
    return missing;
  }

  #take(): ProcessEvent | undefined {
    const event = this.#ahead.get(this.#next);
    if (event !== undefined) this.#ahead.delete(this.#next++);
    return event;
  }
}
