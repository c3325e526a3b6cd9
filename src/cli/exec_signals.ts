import { ErrorCode, type ExecProcess, type ProcessSignal, RpcError } from "../client/mod.ts";
import { ignoredSignals } from "./ignored_signals.ts";

/** The user has had enough. */
export class GivenUp extends Error {
  override readonly name = "GivenUp";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("given up");
    this.exitCode = exitCode;
  }
}

/** Interrupts further apart than this are not a repetition, in milliseconds. */
const REPEATED_WITHIN_MS = 5000;
/** How long the end of a killed command may take to be told, in milliseconds. */
const KILLED_WITHIN_MS = 2000;

/** By convention of shells a command that signal n ended has exit code 128 + n. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

type ForwardedSignal = keyof typeof EXIT_CODES;

const FORWARDED: readonly ForwardedSignal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/** The process that signals are passed on to. */
export interface SignalledProcess {
  readonly process: Pick<ExecProcess, "signal" | "terminate">;
  /** Whether the executor is in reach. */
  readonly connected: () => boolean;
  /** How long the process may take to end once it was told to, in milliseconds. */
  readonly graceMs: number;
}

/** Passes on to a process the signals that this program gets, but for those it was to ignore. */
export class ForwardedSignals implements Disposable {
  readonly #ignored: ReadonlySet<string> = ignoredSignals();
  readonly #listeners = FORWARDED.map((signal) => {
    const listener = () => this.#received(signal);
    Deno.addSignalListener(signal, listener);
    return { signal, listener };
  });
  readonly #givenUp = Promise.withResolvers<never>();
  #target: SignalledProcess | undefined;
  #exitCode: number | undefined;
  #interrupts: number[] = [];
  #grace: number | undefined;

  constructor() {
    this.#givenUp.promise.catch(() => {});
  }

  /** From now on there is a process to pass signals on to. */
  forwardTo(target: SignalledProcess): void {
    this.#target = target;
  }

  /** The process has ended, though others may still write to its output. */
  exited(exitCode: number): void {
    this.#exitCode = exitCode;
    clearTimeout(this.#grace);
  }

  /** What an action gives, unless the user gives up first. @throws {GivenUp} */
  orGivenUp<T>(action: Promise<T>): Promise<T> {
    return Promise.race([action, this.#givenUp.promise]);
  }

  /** Ends the wait for the process. */
  giveUp(reason: GivenUp): void {
    this.#givenUp.reject(reason);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#grace);
    for (const { signal, listener } of this.#listeners) Deno.removeSignalListener(signal, listener);
  }

  #received(signal: ForwardedSignal): void {
    if (this.#ignored.has(signal)) return;
    const target = this.#target;
    if (target === undefined || this.#exitCode !== undefined) {
      return this.giveUp(new GivenUp(this.#exitCode ?? EXIT_CODES[signal]));
    }
    switch (signal) {
      case "SIGINT":
        return this.#interrupted(target);
      case "SIGTERM":
        return this.#toldToEnd(target, "terminate", EXIT_CODES.SIGTERM);
      case "SIGHUP":
        return this.#toldToEnd(target, "hangup", EXIT_CODES.SIGHUP);
    }
  }

  #interrupted({ process }: SignalledProcess): void {
    const now = performance.now();
    this.#interrupts = this.#interrupts.filter((time) => now - time < REPEATED_WITHIN_MS);
    this.#interrupts.push(now);
    if (this.#interrupts.length > 2) return this.giveUp(new GivenUp(EXIT_CODES.SIGINT));
    const passedOn = this.#interrupts.length === 1
      ? process.signal("interrupt")
      : process.terminate();
    passedOn.catch(() => {
      // The process was lost, which is told where its events are read.
    });
  }

  /** Passes the signal on as it came, kills after the grace, and then does not wait any more. */
  #toldToEnd(target: SignalledProcess, signal: ProcessSignal, exitCode: number): void {
    if (!target.connected()) return this.giveUp(new GivenUp(exitCode));
    target.process.signal(signal).catch((error) => {
      const unknown = error instanceof RpcError && error.code === ErrorCode.InvalidParams;
      if (unknown) return target.process.terminate();
    }).catch(() => {
      // The process was lost, which is told where its events are read.
    });
    this.#grace ??= setTimeout(() => this.#graceIsOver(target, exitCode), target.graceMs);
  }

  #graceIsOver({ process, connected }: SignalledProcess, exitCode: number): void {
    if (!connected()) return this.giveUp(new GivenUp(exitCode));
    process.terminate().catch(() => {});
    this.#grace = setTimeout(() => this.giveUp(new GivenUp(exitCode)), KILLED_WITHIN_MS);
  }
}
