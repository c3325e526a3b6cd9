import { concat } from "@std/bytes/concat";
import { utf8Text } from "./utf8.ts";

/** What ends a line. */
export const LINE_FEED = 0x0a;

/** Gets the lines of a line splitter. */
export interface LineObserver {
  /** A line, without its end. */
  line(text: string): void;
  unreadable(reason: string): void;
}

/**
 * Splits a stream of bytes into lines of UTF-8. Blank lines are skipped.
 */
export class LineSplitter {
  readonly #limit: number;
  readonly #observer: LineObserver;
  #parts: Uint8Array[] = [];
  #length = 0;

  /** @param limit the longest line that is read, in bytes */
  constructor(limit: number, observer: LineObserver) {
    this.#limit = limit;
    this.#observer = observer;
  }

  push(chunk: Uint8Array): void {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      this.#append(chunk.subarray(start, end));
      this.#emit();
      start = end + 1;
    }
    this.#append(chunk.subarray(start));
  }

  /** Ends the stream; bytes after the last line end are a line too. */
  end(): void {
    this.#emit();
  }

  /** Counts the bytes of a line that is too long without keeping them. */
  #append(part: Uint8Array): void {
    this.#length += part.length;
    if (this.#length > this.#limit) this.#parts = [];
    else if (part.length > 0) this.#parts.push(part.slice());
  }

  #emit(): void {
    const parts = this.#parts;
    const length = this.#length;
    this.#parts = [];
    this.#length = 0;
    if (length > this.#limit) {
      return this.#observer.unreadable(`a line of ${length} bytes, the limit is ${this.#limit}`);
    }
    const text = utf8Text(joined(parts));
    if (text === undefined) this.#observer.unreadable("a line that is not UTF-8");
    else if (text.trim() !== "") this.#observer.line(text);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  return only !== undefined && parts.length === 1 ? only : concat(parts);
}
