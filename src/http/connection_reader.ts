import { HttpFailure } from "./request.ts";

const READ_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;

/** The connection ended within what was being read. */
export class UnexpectedEnd extends HttpFailure {}

/** Reads a connection by lines and by bytes, and no faster than it is asked to. */
export class ConnectionReader {
  readonly #source: Deno.Conn;
  #unread = new Uint8Array(0);

  constructor(source: Deno.Conn) {
    this.#source = source;
  }

  /** Takes what has been read from the connection and not been asked for yet. */
  takeUnread(): Uint8Array<ArrayBuffer> {
    const unread = this.#unread;
    this.#unread = new Uint8Array(0);
    return unread;
  }

  /**
   * Whether the next bytes, which are left where they are, are those of an ASCII text. It reads no
   * further than it takes to tell.
   *
   * @throws {UnexpectedEnd} when the connection ends before that can be told
   */
  async startsWith(text: string): Promise<boolean> {
    for (;;) {
      const start = binaryText(this.#unread.subarray(0, text.length));
      if (start === text || !text.startsWith(start)) return start === text;
      if (!await this.#readMore()) throw new UnexpectedEnd("the connection ended");
    }
  }

  /**
   * The next line without its end, one character a byte.
   *
   * @throws {HttpFailure} when it is longer than so many bytes
   * @throws {UnexpectedEnd} when the connection ends within it
   */
  async line(maxBytes: number): Promise<string> {
    const parts: string[] = [];
    let length = 0;
    for (;;) {
      const bytes = await this.bytes(maxBytes + 1 - length, (read) => read.indexOf(LINE_FEED) + 1);
      if (bytes === null) throw new UnexpectedEnd("the connection ended within a line");
      parts.push(binaryText(bytes));
      length += bytes.length;
      if (bytes.at(-1) === LINE_FEED) return parts.join("").replace(/\r?\n$/, "");
      if (length > maxBytes) throw new HttpFailure(`a line of more than ${maxBytes} bytes`);
    }
  }

  /**
   * The next bytes, at least one and at most so many; null at the connection's end.
   *
   * @param stop how many of the given bytes to take at most, or 0 for all
   */
  async bytes(
    max: number,
    stop: (read: Uint8Array) => number = () => 0,
  ): Promise<Uint8Array<ArrayBuffer> | null> {
    if (this.#unread.length === 0 && !await this.#readMore()) return null;
    const wanted = Math.min(stop(this.#unread) || max, max);
    const taken = this.#unread.subarray(0, wanted);
    this.#unread = this.#unread.subarray(taken.length);
    return taken;
  }

  /** Reads once; false at the connection's end. */
  async #readMore(): Promise<boolean> {
    const buffer = new Uint8Array(READ_BYTES);
    const before = this.#unread.length;
    buffer.set(this.#unread);
    const count = await this.#source.read(buffer.subarray(before));
    if (count === null) return false;
    this.#unread = buffer.subarray(0, before + count);
    return true;
  }
}

/** One character a byte; the decoder that is called latin1 has other characters for some. */
function binaryText(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
