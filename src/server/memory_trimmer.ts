import { releaseMemory } from "../os/memory.ts";

/** Time without a large message after which memory is returned to the system, in milliseconds. */
const QUIET_MS = 1000;
/** Bytes below which returning memory is not worth its time. */
const WORTH_IT = 8 * 1024 * 1024;

/** Returns the memory of large messages to the system, once there are no more or too many. */
export class MemoryTrimmer implements Disposable {
  readonly #limit: number;
  readonly #release: () => void;
  #bytes = 0;
  #timer: number | undefined;

  /**
   * @param limit bytes of messages after which memory is returned at once
   * @param release returns memory to the system
   */
  constructor(limit: number, release: () => void = releaseMemory) {
    this.#limit = limit;
    this.#release = release;
  }

  /** Notes that a large message was handled or sent. @param bytes its size */
  used(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < WORTH_IT) return;
    clearTimeout(this.#timer);
    // By then whoever handles the message no longer refers to it.
    this.#timer = setTimeout(() => this.#trim(), this.#bytes > this.#limit ? 0 : QUIET_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** Stops returning memory. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #trim(): void {
    this.#bytes = 0;
    this.#release();
  }
}
