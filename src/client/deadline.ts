import { ConnectionError } from "../transport/client_transport.ts";

/** Aborts its signal after so many milliseconds, unless it is cleared first. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #reason: () => ConnectionError;
  readonly #timer: number;

  constructor(milliseconds: number, reason: () => ConnectionError) {
    this.#reason = reason;
    this.#timer = setTimeout(() => this.#controller.abort(reason()), milliseconds);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get reason(): ConnectionError {
    const { reason } = this.signal;
    return reason instanceof ConnectionError ? reason : this.#reason();
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
