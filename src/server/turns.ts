/**
 * Lets a few pieces of heavy work run at a time, in the order in which they come, and none while
 * what came before still waits to be sent.
 *
 * Without turns a client that asks for a thousand files would have them all in memory at once.
 */
export class Turns {
  readonly #limit: number;
  readonly #held: () => boolean;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /**
   * @param limit how many run at the same time
   * @param held whether no more may start for now; {@linkcode proceed} tells when that is over
   */
  constructor(limit: number, held: () => boolean) {
    this.#limit = limit;
    this.#held = held;
  }

  /** Runs a piece of work when its turn has come. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#turn();
    try {
      return await work();
    } finally {
      this.#running--;
      // A turn of the event loop later, when the result has been handed on to be sent.
      setTimeout(() => this.proceed());
    }
  }

  /** Starts what waits and may run. */
  proceed(): void {
    while (this.#free) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#running++;
      next();
    }
  }

  get #free(): boolean {
    return this.#running < this.#limit && !this.#held();
  }

  #turn(): Promise<void> {
    if (this.#waiting.length > 0 || !this.#free) {
      return new Promise((resolve) => this.#waiting.push(resolve));
    }
    this.#running++;
    return Promise.resolve();
  }
}
