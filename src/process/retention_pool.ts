/**
 * Bytes of output that the processes of an executor may retain together, on top of what each may
 * without asking.
 *
 * A larger retention is a promise to every process; the machine's memory is one. When the pool is
 * used up, processes fall back to what they have for certain.
 */
export class RetentionPool {
  #free: number;

  constructor(bytes: number) {
    this.#free = bytes;
  }

  /** Takes bytes out, if there are so many. Returns whether there were. */
  take(bytes: number): boolean {
    if (bytes > this.#free) return false;
    this.#free -= bytes;
    return true;
  }

  /** Puts bytes back. */
  give(bytes: number): void {
    this.#free += bytes;
  }
}
