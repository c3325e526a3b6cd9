import type { ExecProcess } from "../client/mod.ts";
import { outlivesTerminal } from "./hang_up.ts";

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

/** By convention of shells a command that signal n ended has exit code 128 + n. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

type ForwardedSignal = keyof typeof EXIT_CODES;

const FORWARDED: readonly ForwardedSignal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/** Passes on to a process the signals that this program gets. */
export class ForwardedSignals implements Disposable {
  readonly #outlivesTerminal = outlivesTerminal();
  readonly #listeners = FORWARDED.map((signal) => {
    const listener = () => this.#received(signal);
    Deno.addSignalListener(signal, listener);
    return { signal, listener };
  });
  readonly #givenUp = Promise.withResolvers<never>();
  #process: ExecProcess | undefined;
  #exitCode: number | undefined;
  #interrupts: number[] = [];

  constructor() {
    this.#givenUp.promise.catch(() => {});
  }

  /** From now on there is a process to pass signals on to. */
  forwardTo(process: ExecProcess): void {
    this.#process = process;
  }

  /** The process has ended, though others may still write to its output. */
  exited(exitCode: number): void {
    this.#exitCode = exitCode;
  }

  /** What an action gives, unless the user gives up first. @throws {GivenUp} */
  orGivenUp<T>(action: Promise<T>): Promise<T> {
    return Promise.race([action, this.#givenUp.promise]);
  }

  giveUp(reason: GivenUp): void {
    this.#givenUp.reject(reason);
  }

  [Symbol.dispose](): void {
    for (const { signal, listener } of this.#listeners) Deno.removeSignalListener(signal, listener);
  }

  #received(signal: ForwardedSignal): void {
    if (signal === "SIGHUP" && this.#outlivesTerminal) return;
    const process = this.#process;
    if (process === undefined || this.#exitCode !== undefined || signal !== "SIGINT") {
      return this.giveUp(new GivenUp(this.#exitCode ?? EXIT_CODES[signal]));
    }
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
}
