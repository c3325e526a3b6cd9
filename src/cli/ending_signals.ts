import { abortable } from "@std/async/abortable";
import { ENDING_SIGNALS, SIGNALLED } from "./exit_codes.ts";

/** Signals that ask a program to end, with their numbers on Linux (signal(7)). */
const NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 } as const;

/** A signal that a program may inherit as ignored. */
export type InheritedSignal = keyof typeof NUMBERS;

/**
 * The signals that this program inherited as ignored: SIGHUP from nohup(1), SIGINT and SIGQUIT from a
 * shell script that runs it in the background (POSIX, Shell Command Language, 2.11).
 *
 * Call it before listening for any signal: the first listener makes the runtime handle others too. Other
 * systems than Linux do not tell (proc_pid_status(5)); there the set is empty.
 */
export function ignoredSignals(): ReadonlySet<InheritedSignal> {
  if (Deno.build.os !== "linux") return new Set();
  const mask = ignoredMask();
  const ignored = new Set<InheritedSignal>();
  for (const name of ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const) {
    if ((mask & (1n << BigInt(NUMBERS[name] - 1))) !== 0n) ignored.add(name);
  }
  return ignored;
}

/** The lowest bit is signal 1. */
function ignoredMask(): bigint {
  try {
    const line = /^SigIgn:\s+([0-9a-f]+)$/m.exec(Deno.readTextFileSync("/proc/self/status"));
    return BigInt(`0x${line?.[1] ?? "0"}`);
  } catch {
    return 0n;
  }
}

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

/**
 * Settles at the first SIGTERM, SIGINT or SIGHUP, except for signals that this program inherited as
 * ignored.
 *
 * Call it early: as process 1 of a container the program loses these signals until it handles them
 * (pid_namespaces(7)).
 */
export function shutdownSignal(): Promise<void> {
  const ignored = ignoredSignals();
  return new Promise((resolve) => {
    // Ignored signals get a listener too: without one the runtime ends the program at SIGHUP.
    for (const signal of ENDING_SIGNALS) {
      Deno.addSignalListener(signal, () => {
        if (!ignored.has(signal)) resolve();
      });
    }
  });
}
