/** Numbers of the signals that ask a program to end, the same on every Linux (signal(7)). */
const NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 } as const;

/** A signal that asks a program to end. */
export type EndingSignal = keyof typeof NUMBERS;

/**
 * The signals that this program was started to ignore: SIGHUP by nohup(1), SIGINT and SIGQUIT by a
 * shell script that runs it in the background (POSIX, Shell Command Language, 2.11).
 *
 * To be asked before any signal is listened for: with the first the runtime handles others, too.
 * Known on Linux only (proc_pid_status(5)).
 */
export function ignoredSignals(): ReadonlySet<EndingSignal> {
  if (Deno.build.os !== "linux") return new Set();
  const mask = ignoredMask();
  const ignored = new Set<EndingSignal>();
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
