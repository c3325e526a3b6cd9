import type { Descriptor } from "./descriptor.ts";
import { SYS_PIDFD_OPEN } from "./constants.ts";
import { lastErrno } from "./errno.ts";
import { libraryTable } from "./libc.ts";

const libc = libraryTable({
  syscall: { parameters: ["i64", "i64", "i64", "i64"], result: "i64" },
  pidfd_send_signal: {
    name: "syscall",
    parameters: ["i64", "i64", "i64", "buffer", "i64"],
    result: "i64",
  },
});

const SYS_PIDFD_SEND_SIGNAL = 424n;
const SYS_TGKILL = Deno.build.arch === "aarch64" ? 131n : 234n;

/**
 * A descriptor that is readable once a process has ended (pidfd_open(2)), to be closed by whoever
 * gets it; undefined when there is no such process or no descriptor left.
 */
export function openProcessDescriptor(pid: number): Descriptor | undefined {
  const descriptor = Number(libc().syscall(SYS_PIDFD_OPEN, BigInt(pid), 0n, 0n));
  return descriptor < 0 ? undefined : descriptor;
}

/**
 * Sends a signal to the process that a descriptor stands for (pidfd_send_signal(2)), whatever has
 * become of its number. Returns 0 or the negative error number.
 *
 * @param info `siginfo_t` as rt_sigqueueinfo(2) takes it, or null for that of kill(2)
 */
export function signalHeldProcess(
  process: Descriptor,
  signal: number,
  info: Uint8Array<ArrayBuffer> | null,
): number {
  const failed = libc().pidfd_send_signal(
    SYS_PIDFD_SEND_SIGNAL,
    BigInt(process),
    BigInt(signal),
    info,
    0n,
  );
  return failed === 0n ? 0 : -lastErrno();
}

/** Sends a signal to a thread, if it is one of the process (tgkill(2)). Returns 0 or the negative error number. */
export function signalThread(process: number, thread: number, signal: number): number {
  const failed = libc().syscall(SYS_TGKILL, BigInt(process), BigInt(thread), BigInt(signal));
  return failed === 0n ? 0 : -lastErrno();
}
