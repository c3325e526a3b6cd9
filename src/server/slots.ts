/** So many of something may be at the same time; each takes a slot and gives it back. */
export class Slots {
  readonly limit: number;
  #taken = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Takes a slot. Returns whether there was one. */
  take(): boolean {
    if (this.#taken >= this.limit) return false;
    this.#taken++;
    return true;
  }

  /** Gives a slot back. */
  give(): void {
    this.#taken--;
  }
}
