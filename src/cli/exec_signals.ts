import { abortable } from "@std/async/abortable";
import type { ExecProcess, ProcessSignal } from "../client/mod.ts";
import { ErrorCode, RpcError } from "../protocol/errors.ts";
import { ENDING_SIGNALS, type EndingSignal, SIGNALLED } from "./exit_codes.ts";
import { ignoredSignals } from "./ending_signals.ts";

/** The user has stopped waiting for the command. */
export class GivenUp extends Error {
  override readonly name = "GivenUp";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("given up");
    this.exitCode = exitCode;
  }
}

/** Time within which a second interrupt counts as a repetition, in milliseconds. */
const REPEATED_WITHIN_MS = 5000;
/** How long a killed command may take to exit, in milliseconds. */
const KILLED_WITHIN_MS = 2000;
/** How long a signal waits for a command that is being started, in milliseconds. */
const STARTED_WITHIN_MS = 2000;

/** The process that gets the signals. */
export interface SignalledProcess {
  readonly process: Pick<ExecProcess, "signal" | "terminate">;
  /** Whether the client is connected. */
  readonly connected: () => boolean;
  /** How long the process may take to end after SIGTERM or SIGHUP, in milliseconds. */
  readonly graceMs: number;
}

/** Passes the signals that this program gets on to a process, except those it inherited as ignored. */
export class ForwardedSignals implements Disposable {
  readonly #ignored: ReadonlySet<string> = ignoredSignals();
  readonly #listeners = ENDING_SIGNALS.map((signal) => {
    const listener = () => this.#received(signal);
    Deno.addSignalListener(signal, listener);
    return { signal, listener };
  });
  readonly #givenUp = new AbortController();
  #target: SignalledProcess | undefined;
  #exitCode: number | undefined;
  #interrupts: number[] = [];
  /** Runs while the process may end by itself. */
  #grace: number | undefined;
  #starting = false;
  /** What came while the process was being started, which must not take long from then on. */
  #early: { readonly signal: EndingSignal; readonly late: number } | undefined;

  /** Aborted with {@linkcode GivenUp} when the user stops waiting. */
  get signal(): AbortSignal {
    return this.#givenUp.signal;
  }

  /**
   * Passes signals on to the process that an action starts, also those that come meanwhile: the process
   * may run before the answer is here.
   *
   * @throws {GivenUp} when the answer is late, or another signal comes
   */
  async started<P extends SignalledProcess["process"]>(
    action: Promise<P>,
    target: Omit<SignalledProcess, "process">,
  ): Promise<P> {
    this.#starting = true;
    const process = await this.orGivenUp(action).finally(() => this.#starting = false);
    this.forwardTo({ ...target, process });
    return process;
  }

  /** Passes signals on to a process from now on. */
  forwardTo(target: SignalledProcess): void {
    this.#target = target;
    const early = this.#early;
    if (early === undefined) return;
    clearTimeout(early.late);
    this.#early = undefined;
    this.#received(early.signal);
  }

  /** The process has exited, though its descendants may still write output. */
  exited(exitCode: number): void {
    this.#exitCode = exitCode;
    clearTimeout(this.#grace);
  }

  /** The result of an action. @throws {GivenUp} when the user stops waiting first */
  orGivenUp<T>(action: Promise<T>): Promise<T> {
    return abortable(action, this.signal);
  }

  /** Ends the wait for the process. */
  giveUp(reason: GivenUp): void {
    this.#givenUp.abort(reason);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#grace);
    clearTimeout(this.#early?.late);
    for (const { signal, listener } of this.#listeners) Deno.removeSignalListener(signal, listener);
  }

  #received(signal: EndingSignal): void {
    if (this.#ignored.has(signal)) return;
    const target = this.#target;
    if (target === undefined && this.#starting && this.#early === undefined) {
      const giveUp = () => this.giveUp(new GivenUp(SIGNALLED[signal]));
      this.#early = { signal, late: setTimeout(giveUp, STARTED_WITHIN_MS) };
      return;
    }
    if (target === undefined || this.#exitCode !== undefined) {
      return this.giveUp(new GivenUp(this.#exitCode ?? SIGNALLED[signal]));
    }
    switch (signal) {
      case "SIGINT":
        return this.#interrupted(target);
      case "SIGTERM":
        return this.#requestEnd(target, "terminate", SIGNALLED.SIGTERM);
      case "SIGHUP":
        return this.#requestEnd(target, "hangup", SIGNALLED.SIGHUP);
    }
  }

  #interrupted({ process }: SignalledProcess): void {
    const now = performance.now();
    this.#interrupts = this.#interrupts.filter((time) => now - time < REPEATED_WITHIN_MS);
    this.#interrupts.push(now);
    if (this.#interrupts.length > 2) return this.giveUp(new GivenUp(SIGNALLED.SIGINT));
    const passedOn = this.#interrupts.length === 1
      ? process.signal("interrupt")
      : process.terminate();
    passedOn.catch(() => {
      // The process was lost; whoever reads its events reports that.
    });
  }

  /** Passes a signal on, kills the process after the grace, and soon stops waiting. */
  #requestEnd(target: SignalledProcess, signal: ProcessSignal, exitCode: number): void {
    if (!target.connected()) return this.giveUp(new GivenUp(exitCode));
    target.process.signal(signal).catch((error) => {
      const unknown = error instanceof RpcError && error.code === ErrorCode.InvalidParams;
      if (unknown) return target.process.terminate();
    }).catch(() => {
      // The process was lost; whoever reads its events reports that.
    });
    this.#grace ??= setTimeout(() => this.#graceIsOver(target, exitCode), target.graceMs);
  }

  #graceIsOver({ process, connected }: SignalledProcess, exitCode: number): void {
    if (!connected()) return this.giveUp(new GivenUp(exitCode));
    process.terminate().catch(() => {});
    this.#grace = setTimeout(() => this.giveUp(new GivenUp(exitCode)), KILLED_WITHIN_MS);
  }
}
