import { concat } from "@std/bytes/concat";

/** A connection, as far as the proxy needs one; those of the runtime are such. */
export interface ByteStream {
  /** Reads at least one byte; null when the other side sends no more. */
  read(buffer: Uint8Array<ArrayBuffer>): Promise<number | null>;
  /** Returns how much was taken. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number>;
  /** Tells the other side that nothing more comes. */
  closeWrite(): Promise<void> | void;
  /**
   * Passes everything on that comes, and then that there is no more, faster than by reading and
   * writing. Missing where there is no such way.
   */
  pipeTo?(target: ByteStream): Promise<void>;
  /** Ends both directions; whoever waits is told by an exception. Once is enough. */
  close(): void;
}

/** Bytes taken from a connection at once. */
const READ_BYTES = 16 * 1024;

/** Writes everything. */
export async function writeAll(stream: ByteStream, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await stream.write(bytes.subarray(sent));
}

/** Reads a connection and can look at what comes before it is taken. */
export class StreamReader {
  readonly #stream: ByteStream;
  #unread = new Uint8Array(0);
  #ended = false;

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  /** What has been read and not been taken. */
  get unread(): Uint8Array<ArrayBuffer> {
    return this.#unread;
  }

  /** Waits for more than is unread. False when nothing more comes. */
  async more(): Promise<boolean> {
    if (this.#ended) return false;
    const buffer = new Uint8Array(READ_BYTES);
    const count = await this.#stream.read(buffer);
    if (count === null) {
      this.#ended = true;
      return false;
    }
    this.#unread = this.#unread.length === 0
      ? buffer.subarray(0, count)
      : concat([this.#unread, buffer.subarray(0, count)]);
    return true;
  }

  /** Takes bytes that are there. */
  take(count: number): Uint8Array<ArrayBuffer> {
    const taken = this.#unread.subarray(0, count);
    this.#unread = this.#unread.subarray(taken.length);
    return taken;
  }

  /** So many bytes exactly, or undefined if the connection ends before. */
  async exactly(count: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (this.#unread.length < count) if (!await this.more()) return undefined;
    return this.take(count);
  }

  /** The next bytes, at the most so many; undefined at the end. */
  async some(max: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#unread.length === 0 && !await this.more()) return undefined;
    return this.take(max);
  }
}
