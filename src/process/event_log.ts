import type { ExceededLimit, OutputStream, ReadAnswer } from "../protocol/process.ts";
import type { NetworkReport } from "../protocol/process.ts";
import { MAX_TIMER_MS } from "../protocol/timer.ts";
import { type RetainedChunk, RetainedOutput } from "./retained_output.ts";
import { type Retainer, RetentionPool } from "./retention_pool.ts";
import type { Spool } from "./spool.ts";

/** Something that happened to a process, numbered without gaps from 1. */
export type LogEvent = OutputEvent | ExitedEvent | ClosedEvent;

/** A chunk of output. */
export interface OutputEvent {
  readonly kind: "output";
  readonly seq: number;
  readonly stream: OutputStream;
  /** Valid only while the event is told. */
  readonly bytes: Uint8Array;
}

/** What there is to say of some exits only. */
export interface ExitDetails {
  readonly limitExceeded?: ExceededLimit | undefined;
  readonly network?: NetworkReport | undefined;
  readonly timedOut?: boolean;
}

export interface ExitedEvent {
  readonly kind: "exited";
  readonly seq: number;
  readonly exitCode: number;
  readonly sandboxDenied: boolean;
  /** Missing unless a limit ended the process. */
  readonly limitExceeded?: ExceededLimit;
  /** Whether it was told to end as its time was up; undefined for no. */
  readonly timedOut?: true;
  readonly network?: NetworkReport | undefined;
}

export interface ClosedEvent {
  readonly kind: "closed";
  readonly seq: number;
}

/** Which part of the retained output a reader asks for. */
export interface ReadRange {
  readonly afterSeq: number;
  /** Bytes at the most, but always one chunk if there is one; undefined for no limit. */
  readonly maxBytes: number | undefined;
}

/** Output retained for later reads, in bytes, unless told otherwise. */
export const DEFAULT_RETAINED_BYTES = 1024 * 1024;
/** As much of it stays in memory where the rest goes to files, in bytes. */
const UNSPOOLED_BYTES = 256 * 1024;
/** The size of an answer that is read from files, in bytes, unless the reader wants less. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/**
 * Numbers the events of one process and retains its newest output.
 *
 * Output past the limit goes to files, if there are any, or is dropped in whole chunks, the oldest
 * first; numbers are never used again.
 */
export class EventLog implements Retainer {
  readonly #retainedLimit: number;
  readonly #pool: RetentionPool;
  readonly #output = new RetainedOutput();
  readonly #spool: Spool | undefined;
  readonly #waiting = new Set<() => void>();
  #lastSeq = 0;
  #exited: ExitedEvent | undefined;
  #closed: ClosedEvent | undefined;

  /**
   * @param retainedBytes output retained at the most, in bytes
   * @param pool what it may retain together with others. @default as much as it wants to
   * @param spool files for what does not stay in memory. @default none
   */
  constructor(retainedBytes = DEFAULT_RETAINED_BYTES, pool = new RetentionPool(), spool?: Spool) {
    this.#retainedLimit = retainedBytes;
    this.#pool = pool;
    this.#spool = spool;
  }

  get exited(): boolean {
    return this.#exited !== undefined;
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /** About what the retained output takes of memory, in bytes. */
  get cost(): number {
    return this.#output.cost;
  }

  appendOutput(stream: OutputStream, bytes: Uint8Array): OutputEvent {
    const event: OutputEvent = { kind: "output", seq: ++this.#lastSeq, stream, bytes };
    this.#change(() => {
      this.#output.append(event.seq, stream, bytes);
      while (this.#output.bytes > this.#memoryLimit) this.#moveOldest();
    });
    this.#wake();
    return event;
  }

  appendExited(exitCode: number, sandboxDenied: boolean, more: ExitDetails = {}): ExitedEvent {
    const { limitExceeded, network, timedOut } = more;
    this.#exited = {
      kind: "exited",
      seq: ++this.#lastSeq,
      exitCode,
      sandboxDenied,
      ...limitExceeded === undefined ? {} : { limitExceeded },
      ...network === undefined ? {} : { network },
      ...timedOut === true ? { timedOut } : {},
    };
    this.#wake();
    return this.#exited;
  }

  appendClosed(): ClosedEvent {
    this.#closed = { kind: "closed", seq: ++this.#lastSeq };
    this.#output.seal();
    this.#pool.closed(this);
    this.#spool?.seal();
    this.#wake();
    return this.#closed;
  }

  /**
   * What is retained after a sequence number, and the state of the process. `nextSeq` follows the
   * last chunk when the limit ended the answer, and otherwise the last event of any kind.
   */
  read(range: ReadRange): ReadAnswer {
    const { chunks, limited } = this.#select(range);
    const lastSeq = limited ? chunks.at(-1)?.seq : undefined;
    return {
      chunks: chunks.map(({ seq, stream, bytes }) => ({ seq, stream, chunk: bytes.toBase64() })),
      nextSeq: (lastSeq ?? this.#lastSeq) + 1,
      exited: this.exited,
      exitCode: this.#exited?.exitCode ?? null,
      closed: this.closed,
      failure: null,
      sandboxDenied: this.#exited?.sandboxDenied ?? false,
      ...this.#exited?.limitExceeded === undefined
        ? {}
        : { limitExceeded: this.#exited.limitExceeded },
      ...this.#exited?.timedOut === undefined ? {} : { timedOut: true },
      ...networkMembers(this.#exited?.network),
    };
  }

  /** Drops what is retained; nobody will read it any more. */
  clear(): void {
    this.#change(() => this.#output.clear());
    this.#spool?.clear();
  }

  /** Moves the oldest output out of memory until the rest takes no more than so many bytes. */
  shrink(cost: number): void {
    this.#change(() => {
      while (this.#output.cost > cost) this.#moveOldest();
    });
  }

  /** The newest output, as it is retained in memory, each stream's as one text. */
  retainedText(): string {
    const streams = new Map<OutputStream, { readonly decoder: TextDecoder; text: string }>();
    for (const { stream, bytes } of this.#output.after(0)) {
      const known = streams.get(stream) ?? { decoder: new TextDecoder(), text: "" };
      known.text += known.decoder.decode(bytes, { stream: true });
      streams.set(stream, known);
    }
    return Array.from(streams.values(), ({ text }) => text).join("\n");
  }

  /** Whether a reader that has seen everything up to a number has something new to see. */
  hasNews(afterSeq: number): boolean {
    return this.closed || this.#lastOutput > afterSeq ||
      (this.#exited !== undefined && this.#exited.seq > afterSeq);
  }

  /**
   * Waits until there is news after a sequence number, for so many milliseconds at the most.
   *
   * @throws the signal's reason when it is aborted first
   */
  waitForNews(afterSeq: number, milliseconds: number, signal: AbortSignal): Promise<void> {
    if (this.hasNews(afterSeq)) return Promise.resolve();
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        signal.removeEventListener("abort", abort);
        finish();
      };
      const check = () => this.hasNews(afterSeq) && settle(resolve);
      const abort = () => settle(() => reject(signal.reason));
      const timer = setTimeout(() => settle(resolve), Math.min(milliseconds, MAX_TIMER_MS));
      this.#waiting.add(check);
      signal.addEventListener("abort", abort);
    });
  }

  get #memoryLimit(): number {
    return this.#spool?.usable
      ? Math.min(this.#retainedLimit, UNSPOOLED_BYTES)
      : this.#retainedLimit;
  }

  /** The number of the newest output that is retained, or 0. */
  get #lastOutput(): number {
    return Math.max(this.#output.lastSeq, this.#spool?.lastSeq ?? 0);
  }

  #moveOldest(): void {
    if (this.#spool?.usable) this.#spool.append(this.#output.takeOldest());
    else this.#output.dropOldest();
  }

  *#after(seq: number): Generator<RetainedChunk> {
    if (this.#spool !== undefined) yield* this.#spool.after(seq);
    yield* this.#output.after(seq);
  }

  #select(
    { afterSeq, maxBytes = this.#spool === undefined ? Infinity : MAX_ANSWER_BYTES }: ReadRange,
  ): { chunks: RetainedChunk[]; limited: boolean } {
    const chunks: RetainedChunk[] = [];
    let size = 0;
    for (const chunk of this.#after(afterSeq)) {
      const { length } = chunk.bytes;
      if (chunks.length > 0 && size + length > maxBytes) return { chunks, limited: true };
      chunks.push(chunk);
      size += length;
      if (size >= maxBytes) return { chunks, limited: true };
    }
    return { chunks, limited: false };
  }

  /** Keeps the pool's sum right. */
  #change(action: () => void): void {
    const before = this.#output.cost;
    action();
    const difference = this.#output.cost - before;
    if (difference !== 0) this.#pool.changed(this, difference);
  }

  #wake(): void {
    for (const check of this.#waiting) check();
  }
}

/** What a client is told of a network, where there is something to tell. */
export function networkMembers(
  network: NetworkReport | undefined,
): { networkDenied?: string[]; networkReached?: string[] } {
  const { denied = [], reached = [] } = network ?? {};
  return {
    ...denied.length === 0 ? {} : { networkDenied: [...denied] },
    ...reached.length === 0 ? {} : { networkReached: [...reached] },
  };
}
