import { abortable } from "@std/async/abortable";
import { ENDING_SIGNALS, SIGNALLED } from "./exit_codes.ts";
import { ignoredSignals } from "./ignored_signals.ts";

/** Somebody has asked this program to end. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  /** As in shells: 128 + n for signal n. */
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("interrupted");
    this.exitCode = exitCode;
  }
}

/** Listens for the signals that ask a program to end, but for those it inherited as ignored. */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #listeners;

  constructor() {
    const ignored = ignoredSignals();
    this.#listeners = ENDING_SIGNALS.map((signal) => {
      const listener = () => {
        if (!ignored.has(signal)) this.#controller.abort(new Interrupted(SIGNALLED[signal]));
      };
      Deno.addSignalListener(signal, listener);
      return { signal, listener };
    });
  }

  /** Aborted with {@linkcode Interrupted} at the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The result of something. @throws {Interrupted} when a signal comes first */
  orInterrupted<T>(work: Promise<T>): Promise<T> {
    return abortable(work, this.signal);
  }

  [Symbol.dispose](): void {
    for (const { signal, listener } of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}
