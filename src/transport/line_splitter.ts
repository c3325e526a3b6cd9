import { ByteQueue } from "./byte_queue.ts";
import { utf8Text } from "./utf8.ts";

/** What ends a line. */
export const LINE_FEED = 0x0a;

const SPACE = 0x20;
/** Tab, line feed, vertical tab, form feed and carriage return are next to each other. */
const [TAB, CARRIAGE_RETURN] = [0x09, 0x0d];
const LAST_ASCII = 0x7f;

/** Gets the lines of a line splitter. */
export interface LineObserver {
  /** A line, without its end. The bytes are valid during the call only, and may not be UTF-8. */
  line(bytes: Uint8Array): void;
  unreadable(reason: string): void;
}

/**
 * Splits a stream of bytes into lines. Blank lines are skipped.
 */
export class LineSplitter {
  readonly #limit: number;
  readonly #observer: LineObserver;
  /** The beginning of a line whose end has not come. */
  readonly #begun = new ByteQueue();
  /** The length of that line, of which nothing is kept once it is too long. */
  #length = 0;

  /** @param limit the longest line that is read, in bytes */
  constructor(limit: number, observer: LineObserver) {
    this.#limit = limit;
    this.#observer = observer;
  }

  push(chunk: Uint8Array): void {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      this.#complete(chunk.subarray(start, end));
      start = end + 1;
    }
    this.#begin(chunk.subarray(start));
  }

  /** Ends the stream; bytes after the last line end are a line too. */
  end(): void {
    this.#complete(new Uint8Array());
  }

  #begin(part: Uint8Array): void {
    this.#length += part.length;
    if (this.#length <= this.#limit) this.#begun.push(part);
    else this.#begun.drop(this.#begun.length);
  }

  #complete(rest: Uint8Array): void {
    if (this.#length === 0) return this.#emit(rest, rest.length);
    this.#begin(rest);
    const { bytes } = this.#begun;
    const length = this.#length;
    this.#length = 0;
    this.#begun.drop(bytes.length);
    this.#emit(bytes, length);
  }

  #emit(line: Uint8Array, length: number): void {
    if (length > this.#limit) {
      this.#observer.unreadable(`a line of ${length} bytes, the limit is ${this.#limit}`);
    } else if (!isBlank(line)) this.#observer.line(line);
  }
}

function isBlank(line: Uint8Array): boolean {
  const first = line.find((byte) => byte !== SPACE && (byte < TAB || byte > CARRIAGE_RETURN));
  if (first === undefined) return true;
  // There are other spaces than those of ASCII.
  return first > LAST_ASCII && utf8Text(line)?.trim() === "";
}
