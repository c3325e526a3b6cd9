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

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
const SIGNALS = Deno.build.os === "windows"
  ? ["SIGINT"] as const
  : ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Listens for the signals that ask a program to end, but for those it inherited as ignored. */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #listeners;

  constructor() {
    const ignored = ignoredSignals();
    this.#listeners = SIGNALS.map((signal) => {
      const listener = () => {
        if (!ignored.has(signal)) this.#controller.abort(new Interrupted(EXIT_CODES[signal]));
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
  async orInterrupted<T>(work: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const interrupt = () => reject(this.signal.reason);
    this.signal.addEventListener("abort", interrupt);
    if (this.signal.aborted) interrupt();
    try {
      return await Promise.race([work, promise]);
    } finally {
      this.signal.removeEventListener("abort", interrupt);
    }
  }

  [Symbol.dispose](): void {
    for (const { signal, listener } of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}
