import { setImmediate } from "node:timers";

/**
 * Limits how much heavy work runs at the same time: jobs start in the order in which they come, and
 * none starts while earlier answers still wait to be sent.
 *
 * Without a limit a client that asks for a thousand files would have them all in memory at once.
 */
export class Turns {
  readonly #limit: number;
  readonly #held: () => boolean;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /**
   * @param limit how many jobs run at the same time
   * @param held whether no job may start for now; whoever ends that calls {@linkcode proceed}
   */
  constructor(limit: number, held: () => boolean) {
    this.#limit = limit;
    this.#held = held;
  }

  /**
   * Runs a job when its turn has come.
   *
   * @param signal cancels a job that still waits; the promise then rejects with its reason
   */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#turn(signal);
    try {
      return await work();
    } finally {
      this.#running--;
      // In the next turn of the event loop, when the result has been passed on to be sent.
      setImmediate(() => this.proceed());
    }
  }

  /** Starts the waiting jobs that may run. */
  proceed(): void {
    while (this.#free) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#running++;
      next();
    }
  }

  /** Whether a job would start at once. */
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
