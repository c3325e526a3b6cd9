/** So much of something may be in use at the same time: whoever takes of it gives it back. */
export class Quota {
  readonly limit: number;
  #taken = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Takes some. Returns whether there was so much. */
  take(count = 1): boolean {
    if (this.#taken + count > this.limit) return false;
    this.#taken += count;
    return true;
  }

  /** Gives some back. */
  give(count = 1): void {
    this.#taken -= count;
  }
}
