/** Limits what is under way at the same time: who asks first gets their part first. */
export class Budget {
  #free: number;
  readonly #waiting: { readonly amount: number; readonly resume: () => void }[] = [];

  /** @param amount all that there is */
  constructor(amount: number) {
    this.#free = amount;
  }

  /** Settles when so much has become free. @param amount no more than there is in all */
  async take(amount: number): Promise<void> {
    if (this.#waiting.length === 0 && amount <= this.#free) {
      this.#free -= amount;
      return;
    }
    await new Promise<void>((resume) => this.#waiting.push({ amount, resume }));
  }

  give(amount: number): void {
    this.#free += amount;
    for (let next = this.#waiting[0]; next !== undefined && next.amount <= this.#free;) {
      this.#waiting.shift();
      this.#free -= next.amount;
      next.resume();
      next = this.#waiting[0];
    }
  }
}
