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

  /**
   * Runs a piece of work when its turn has come.
   *
   * @param signal gives the turn up while it has not come; the promise then rejects
   */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#turn(signal);
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

  /** Whether a piece of work would run at once. One that is over at once needs no turn then. */
  get idle(): boolean {
    return this.#waiting.length === 0 && this.#free;
  }

  get #free(): boolean {
    return this.#running < this.#limit && !this.#held();
  }

  async #turn(signal: AbortSignal | undefined): Promise<void> {
    if (this.idle) {
      this.#running++;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = () => {
      const index = this.#waiting.indexOf(resolve);
      if (index < 0) return;
      this.#waiting.splice(index, 1);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", giveUp);
    this.#waiting.push(resolve);
    if (signal?.aborted) giveUp();
    await promise.finally(() => signal?.removeEventListener("abort", giveUp));
  }
}
