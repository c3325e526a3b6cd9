/** SIGHUP's bit among the signals that a process ignores: signal 1 has the lowest. */
const HANG_UP = 1n;

/**
 * Whether this program was started to outlive its terminal, as by nohup(1).
 *
 * To be asked before any signal is listened for: with the first the runtime takes SIGHUP, too.
 * Known on Linux only (proc_pid_status(5)).
 */
export function outlivesTerminal(): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    const ignored = /^SigIgn:\s+([0-9a-f]+)$/m.exec(Deno.readTextFileSync("/proc/self/status"));
    return (BigInt(`0x${ignored?.[1] ?? "0"}`) & HANG_UP) !== 0n;
  } catch {
    return false;
  }
}
