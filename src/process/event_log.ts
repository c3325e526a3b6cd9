import type { OutputStream, ReadAnswer } from "../protocol/process.ts";
import type { NetworkReport } from "./child.ts";
import { RetentionPool } from "./retention_pool.ts";

/** Something that happened to a process, numbered without gaps from 1. */
export type ProcessEvent = OutputEvent | ExitedEvent | ClosedEvent;

/** A chunk of output, kept in the form in which it is sent any number of times. */
export interface OutputEvent {
  readonly kind: "output";
  readonly seq: number;
  readonly stream: OutputStream;
  readonly base64: string;
  /** Bytes of output, not of text. */
  readonly size: number;
}

export interface ExitedEvent {
  readonly kind: "exited";
  readonly seq: number;
  readonly exitCode: number;
  readonly sandboxDenied: boolean;
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

/**
 * Numbers the events of one process and retains its newest output.
 *
 * Output past the limit is dropped in whole chunks, the oldest first; numbers are never used again.
 */
export class EventLog {
  readonly #retainedLimit: number;
  readonly #pool: RetentionPool;
  #borrowed = 0;
  readonly #chunks: OutputEvent[] = [];
  /** How many of the oldest chunks are dropped, though not yet taken out of the list. */
  #dropped = 0;
  readonly #waiting = new Set<() => void>();
  #retainedBytes = 0;
  #lastSeq = 0;
  #exited: ExitedEvent | undefined;
  #closed: ClosedEvent | undefined;

  /**
   * @param retainedBytes output retained at the most, in bytes
   * @param pool where what exceeds the default comes from
   */
  constructor(retainedBytes = DEFAULT_RETAINED_BYTES, pool = new RetentionPool(retainedBytes)) {
    this.#retainedLimit = retainedBytes;
    this.#pool = pool;
  }

  get exited(): boolean {
    return this.#exited !== undefined;
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  appendOutput(stream: OutputStream, bytes: Uint8Array): OutputEvent {
    const event: OutputEvent = {
      kind: "output",
      seq: ++this.#lastSeq,
      stream,
      base64: bytes.toBase64(),
      size: bytes.length,
    };
    this.#retain(event);
    this.#wake();
    return event;
  }

  appendExited(exitCode: number, sandboxDenied: boolean, network?: NetworkReport): ExitedEvent {
    const seq = ++this.#lastSeq;
    this.#exited = {
      kind: "exited",
      seq,
      exitCode,
      sandboxDenied,
      ...network === undefined ? {} : { network },
    };
    this.#wake();
    return this.#exited;
  }

  appendClosed(): ClosedEvent {
    this.#closed = { kind: "closed", seq: ++this.#lastSeq };
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
      chunks: chunks.map(({ seq, stream, base64 }) => ({ seq, stream, chunk: base64 })),
      nextSeq: (lastSeq ?? this.#lastSeq) + 1,
      exited: this.exited,
      exitCode: this.#exited?.exitCode ?? null,
      closed: this.closed,
      failure: null,
      sandboxDenied: this.#exited?.sandboxDenied ?? false,
      ...networkMembers(this.#exited?.network),
    };
  }

  /** Drops what is retained; nobody will read it any more. */
  clear(): void {
    this.#chunks.length = 0;
    this.#dropped = 0;
    this.#retainedBytes = 0;
    this.#borrow();
  }

  /** All output that is retained, each stream's as one text. */
  retainedText(): string {
    const streams = new Map<OutputStream, { readonly decoder: TextDecoder; text: string }>();
    for (const { stream, base64 } of this.#chunks.slice(this.#dropped)) {
      const known = streams.get(stream) ?? { decoder: new TextDecoder(), text: "" };
      known.text += known.decoder.decode(Uint8Array.fromBase64(base64), { stream: true });
      streams.set(stream, known);
    }
    return Array.from(streams.values(), ({ text }) => text).join("\n");
  }

  /** Whether a reader that has seen everything up to a number has something new to see. */
  hasNews(afterSeq: number): boolean {
    const newest = this.#chunks.at(-1);
    return this.closed || (newest !== undefined && newest.seq > afterSeq) ||
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

  #select(
    { afterSeq, maxBytes = Infinity }: ReadRange,
  ): { chunks: OutputEvent[]; limited: boolean } {
    const chunks: OutputEvent[] = [];
    let bytes = 0;
    for (let index = this.#indexAfter(afterSeq); index < this.#chunks.length; index++) {
      const chunk = this.#chunks[index];
      if (chunk === undefined) break;
      if (chunks.length > 0 && bytes + chunk.size > maxBytes) return { chunks, limited: true };
      chunks.push(chunk);
      bytes += chunk.size;
      if (bytes >= maxBytes) return { chunks, limited: true };
    }
    return { chunks, limited: false };
  }

  /** Where the retained chunks begin that follow a sequence number, found by halving. */
  #indexAfter(seq: number): number {
    let low = this.#dropped;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#chunks[middle]?.seq ?? Infinity) > seq) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #retain(event: OutputEvent): void {
    this.#chunks.push(event);
    this.#retainedBytes += event.size;
    while (this.#retainedBytes > this.#retainedLimit || !this.#borrow()) {
      this.#retainedBytes -= this.#chunks[this.#dropped++]?.size ?? 0;
    }
    this.#takeOutDropped();
  }

  /** Has from the pool what is retained beyond the default. Returns whether the pool had it. */
  #borrow(): boolean {
    const missing = Math.max(0, this.#retainedBytes - DEFAULT_RETAINED_BYTES) - this.#borrowed;
    if (missing > 0 && !this.#pool.take(missing)) return false;
    if (missing < 0) this.#pool.give(-missing);
    this.#borrowed += missing;
    return true;
  }

  /** Moves what is left to the front: of a short list at once, of a long one when that pays. */
  #takeOutDropped(): void {
    const { length } = this.#chunks;
    if (this.#dropped < (length > SHORT_LIST ? length / 2 : 1)) return;
    this.#chunks.splice(0, this.#dropped);
    this.#dropped = 0;
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

/** Chunks that are moved by one in next to no time. */
const SHORT_LIST = 1024;
/** The longest that setTimeout can wait, about 25 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;
