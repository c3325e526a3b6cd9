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
