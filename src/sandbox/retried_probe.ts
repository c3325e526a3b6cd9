const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 300_000;

/** How a probe goes about it. */
export interface ProbeOptions<T> {
  /** Finds out. Not called again while it is at it. */
  readonly ask: () => Promise<T>;
  /** Whether an answer can never become another one. */
  readonly isFinal: (answer: T) => boolean;
  /** Told of the first answer, and of each that came after another. */
  readonly told?: (answer: T, before: T | undefined) => void;
}

/**
 * Something to be found out about this machine: once where the answer is final, and again after a
 * while where it may have been for want of processes, descriptors or memory, at first after a second
 * and then after twice the time, up to five minutes.
 */
export class RetriedProbe<T> {
  readonly #options: ProbeOptions<T>;
  #known: { readonly answer: T; readonly retryAt: number } | undefined;
  #asking: Promise<T> | undefined;
  #retryMs = FIRST_RETRY_MS;

  constructor(options: ProbeOptions<T>) {
    this.#options = options;
  }

  /** The answer that holds for now. */
  async answer(): Promise<T> {
    if (this.#known !== undefined && performance.now() < this.#known.retryAt) {
      return this.#known.answer;
    }
    return await (this.#asking ??= this.#ask().finally(() => this.#asking = undefined));
  }

  async #ask(): Promise<T> {
    const answer = await this.#options.ask();
    const before = this.#known?.answer;
    const retryAt = this.#options.isFinal(answer) ? Infinity : performance.now() + this.#retryMs;
    this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS);
    this.#known = { answer, retryAt };
    this.#options.told?.(answer, before);
    return answer;
  }
}
