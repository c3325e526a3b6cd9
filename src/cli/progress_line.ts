import { writeErrorLine } from "../log/standard_error.ts";
import { say } from "./standard_streams.ts";

const MEGABYTE = 1_000_000;
/** How often the line is drawn at the most, in milliseconds. */
const INTERVAL_MS = 100;
const BAR_WIDTH = 30;

/** A line on the terminal of standard error that tells how far a copy is. */
export class ProgressLine implements Disposable {
  readonly #shown: boolean;
  #all = 0;
  readonly #begun = performance.now();
  #bytes = 0;
  #files = 0;
  #drawn = 0;

  /** @param shown whether there is to be one */
  constructor(shown: boolean) {
    this.#shown = shown;
  }

  /** So many bytes will arrive in all. */
  expected(bytes: number): void {
    this.#all = bytes;
  }

  /** So many bytes more have arrived. */
  arrived(bytes: number): void {
    this.#bytes += bytes;
    this.#draw();
  }

  /** One more file has arrived. */
  copied(): void {
    this.#files++;
    this.#draw();
  }

  /** Prints a line, above the progress. */
  say(text: string): void {
    this.#erase();
    say(text);
  }

  /** Leaves the last state of it. */
  [Symbol.dispose](): void {
    if (this.#drawn === 0) return;
    this.#erase();
    writeErrorLine(this.#text());
  }

  #draw(): void {
    if (!this.#shown || performance.now() < this.#drawn + INTERVAL_MS) return;
    this.#drawn = performance.now();
    writeErrorLine(`\r${this.#text()}\x1b[K`, "");
  }

  #erase(): void {
    if (this.#drawn > 0) writeErrorLine("\r\x1b[K", "");
  }

  #text(): string {
    const seconds = (performance.now() - this.#begun) / 1000;
    const rate = `${megabytes(this.#bytes / Math.max(seconds, 0.001))} MB/s`;
    if (this.#all === 0) {
      return `${this.#files} files, ${megabytes(this.#bytes)} MB, ${rate}`;
    }
    return `${progressText(this.#bytes, this.#all)}, ${rate}`;
  }
}

/** How much of how many bytes is done. */
export function progressText(done: number, all: number): string {
  const share = Math.min(1, done / all);
  const bar = "#".repeat(Math.floor(BAR_WIDTH * share)).padEnd(BAR_WIDTH, ".");
  return `${bar} ${Math.floor(100 * share)}%, ${megabytes(done)} of ${megabytes(all)} MB`;
}

function megabytes(bytes: number): string {
  return (bytes / MEGABYTE).toFixed(1);
}
