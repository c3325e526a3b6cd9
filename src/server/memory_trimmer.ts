import { releaseMemory } from "../os/release_memory.ts";

/** How long no large message has come or gone before memory is given back, in milliseconds. */
const QUIET_MS = 1000;
/** Less is not worth the time that looking for it takes, in bytes. */
const WORTH_IT = 8 * 1024 * 1024;

/** Has memory given back that large messages took: when they have stopped, or are too many. */
export class MemoryTrimmer implements Disposable {
  readonly #limit: number;
  readonly #release: () => void;
  #bytes = 0;
  #timer: number | undefined;

  /**
   * @param limit of what may have been taken before memory is given back at once, in bytes
   * @param release what gives memory back
   */
  constructor(limit: number, release: () => void = releaseMemory) {
    this.#limit = limit;
    this.#release = release;
  }

  /** A large message has been worked on, or sent. @param bytes its size */
  used(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < WORTH_IT) return;
    clearTimeout(this.#timer);
    // Not before whoever works on the message has let go of it.
    this.#timer = setTimeout(() => this.#trim(), this.#bytes > this.#limit ? 0 : QUIET_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** Gives nothing back any more. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #trim(): void {
    this.#bytes = 0;
    this.#release();
  }
}
