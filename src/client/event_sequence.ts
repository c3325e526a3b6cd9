import type { ProcessEvent } from "./exec_process.ts";

/**
 * Puts the events of one process in order, each once, whatever order they come in.
 *
 * Some executors now and then send two events the wrong way round, and after a reconnect events
 * come from two sources at once: live, and out of what was retained.
 */
export class EventSequence {
  readonly #publish: (event: ProcessEvent) => void;
  readonly #ahead = new Map<number, ProcessEvent>();
  #next = 1;
  #exitKnown = false;

  /** @param publish given every event, in order */
  constructor(publish: (event: ProcessEvent) => void) {
    this.#publish = publish;
  }

  /** The number of the last event that was published, 0 before the first. */
  get lastPublished(): number {
    return this.#next - 1;
  }

  /** Whether events are here that cannot be published because one before them is not. */
  get gapped(): boolean {
    return this.#ahead.size > 0;
  }

  /** Whether the event `exited` is here. */
  get exitKnown(): boolean {
    return this.#exitKnown;
  }

  /** Takes in an event. Nothing happens if it was here before. */
  accept(event: ProcessEvent): void {
    if (event.seq < this.#next || this.#ahead.has(event.seq)) return;
    this.#exitKnown ||= event.kind === "exited";
    this.#ahead.set(event.seq, event);
    for (let next = this.#take(); next !== undefined; next = this.#take()) this.#publish(next);
  }

  /** Numbers below `end` whose events are not here. */
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
