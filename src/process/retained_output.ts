import type { OutputStream } from "../protocol/process.ts";

/** A chunk of output, as it is retained. */
export interface RetainedChunk {
  readonly seq: number;
  readonly stream: OutputStream;
  /** Valid until more is retained or dropped. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The size of a segment that many small chunks share, at the most. */
const SEGMENT_BYTES = 64 * 1024;
/** The first segment of a command that may never say more than a line. */
const FIRST_SEGMENT_BYTES = 256;
/** What a chunk takes besides its bytes: a number in a list, with room for the list to grow. */
const CHUNK_OVERHEAD = 16;

/** The streams, whose places in this list stand for them where output is retained. */
export const STREAMS: readonly OutputStream[] = ["stdout", "stderr", "pty"];

/**
 * The newest output of a process, kept as bytes, many chunks to a buffer: a program that writes line
 * by line takes little more memory than its text.
 */
export class RetainedOutput {
  #segments: Segment[] = [];
  #bytes = 0;
  #chunks = 0;
  #lastSeq = 0;

  /** Bytes of output. */
  get bytes(): number {
    return this.#bytes;
  }

  /** About what it takes of memory, in bytes. */
  get cost(): number {
    return this.#bytes + this.#chunks * CHUNK_OVERHEAD;
  }

  /** The number of the newest chunk that is retained, or 0. */
  get lastSeq(): number {
    return this.#chunks === 0 ? 0 : this.#lastSeq;
  }

  /** Copies a chunk. Its number follows that of the one before, or is larger. */
  append(seq: number, stream: OutputStream, bytes: Uint8Array): void {
    let segment = this.#segments.at(-1);
    if (segment === undefined || !segment.takes(seq, bytes.length)) {
      const usual = Math.min(SEGMENT_BYTES, Math.max(FIRST_SEGMENT_BYTES, this.#bytes));
      segment = new Segment(seq, Math.max(usual, bytes.length));
      this.#segments.push(segment);
    }
    segment.append(stream, bytes);
    this.#bytes += bytes.length;
    this.#chunks++;
    this.#lastSeq = seq;
  }

  /** Drops the oldest chunk. Returns whether there was one. */
  dropOldest(): boolean {
    const [first] = this.#segments;
    if (first === undefined) return false;
    this.#bytes -= first.dropOldest();
    this.#chunks--;
    if (first.empty) this.#segments.shift();
    return true;
  }

  /** Takes the oldest chunks out, some with consecutive numbers. */
  takeOldest(): RetainedChunk[] {
    const chunks = Array.from(this.#segments.shift()?.after(0) ?? []);
    this.#chunks -= chunks.length;
    for (const { bytes } of chunks) this.#bytes -= bytes.length;
    return chunks;
  }

  /** Drops everything. */
  clear(): void {
    this.#segments = [];
    this.#bytes = 0;
    this.#chunks = 0;
  }

  /** Gives back what was set aside for more output. */
  seal(): void {
    this.#segments.at(-1)?.seal();
  }

  /** The chunks with greater sequence numbers. */
  *after(seq: number): Generator<RetainedChunk> {
    for (const segment of this.#segments.slice(this.#segmentAfter(seq))) yield* segment.after(seq);
  }

  /** The first segment that has a chunk behind a sequence number, found by halving. */
  #segmentAfter(seq: number): number {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#segments[middle]?.lastSeq ?? Infinity) > seq) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** Chunks with consecutive numbers, one behind the other in a buffer. */
class Segment {
  #buffer: Uint8Array<ArrayBuffer>;
  readonly #firstSeq: number;
  #used = 0;
  /** Of each chunk where it ends, times the number of streams, plus its stream. */
  readonly #ends: number[] = [];
  #dropped = 0;

  constructor(firstSeq: number, capacity: number) {
    this.#firstSeq = firstSeq;
    this.#buffer = new Uint8Array(capacity);
  }

  get empty(): boolean {
    return this.#dropped === this.#ends.length;
  }

  get lastSeq(): number {
    return this.#firstSeq + this.#ends.length - 1;
  }

  takes(seq: number, size: number): boolean {
    return seq === this.lastSeq + 1 && this.#used + size <= this.#buffer.length;
  }

  append(stream: OutputStream, bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
    this.#ends.push(this.#used * STREAMS.length + STREAMS.indexOf(stream));
  }

  /** Returns the size of the chunk. */
  dropOldest(): number {
    const { begin, end } = this.#place(this.#dropped++);
    return end - begin;
  }

  seal(): void {
    if (this.#used < this.#buffer.length) this.#buffer = this.#buffer.slice(0, this.#used);
  }

  *after(seq: number): Generator<RetainedChunk> {
    const first = Math.max(this.#dropped, seq + 1 - this.#firstSeq);
    for (let index = first; index < this.#ends.length; index++) {
      const { begin, end, stream } = this.#place(index);
      yield { seq: this.#firstSeq + index, stream, bytes: this.#buffer.subarray(begin, end) };
    }
  }

  #place(index: number) {
    const before = index === 0 ? 0 : this.#ends[index - 1] ?? 0;
    const coded = this.#ends[index] ?? 0;
    return {
      begin: Math.floor(before / STREAMS.length),
      end: Math.floor(coded / STREAMS.length),
      stream: STREAMS[coded % STREAMS.length] ?? "stdout",
    };
  }
}
