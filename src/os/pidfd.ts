import type { Descriptor } from "./descriptor.ts";
import { SYS_PIDFD_OPEN } from "./constants.ts";
import { libraryTable } from "./libc.ts";

const libc = libraryTable({
  syscall: { parameters: ["i64", "i64", "i64", "i64"], result: "i64" },
});

/**
 * A descriptor that is readable once a process has ended (pidfd_open(2)), to be closed by whoever
 * gets it; undefined when there is no such process or no descriptor left.
 */
export function openProcessDescriptor(pid: number): Descriptor | undefined {
  const descriptor = Number(libc().syscall(SYS_PIDFD_OPEN, BigInt(pid), 0n, 0n));
  return descriptor < 0 ? undefined : descriptor;
}
