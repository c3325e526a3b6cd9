/** The longest that a timer can wait, in milliseconds: 25 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * When a request is over: at its deadline, at its client's end, or once it is disposed of. All that
 * it has opened is closed by its signal.
 */
export class RequestEnd implements Disposable {
  readonly #controller = new AbortController();
  readonly #clientEnd: AbortSignal;
  readonly #timer: number | undefined;

  /** @param timeoutMs milliseconds until the deadline */
  constructor(clientEnd: AbortSignal, timeoutMs: number | undefined) {
    this.#clientEnd = clientEnd;
    if (clientEnd.aborted || timeoutMs === 0) this.#controller.abort();
    clientEnd.addEventListener("abort", this.#clientEnded);
    if (timeoutMs !== undefined && timeoutMs <= LONGEST_TIMER_MS) {
      this.#timer = setTimeout(() => this.#controller.abort(), timeoutMs);
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#clientEnd.removeEventListener("abort", this.#clientEnded);
    this.#controller.abort();
  }

  readonly #clientEnded = () => this[Symbol.dispose]();
}
