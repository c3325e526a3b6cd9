import { closeDescriptor, type Descriptor } from "./descriptor.ts";
import { SYS_PIDFD_OPEN } from "./constants.ts";
import { libraryTable } from "./libc.ts";

const libc = libraryTable({
  syscall: { parameters: ["i64", "i64", "i64", "i64"], result: "i64" },
});

const SYS_PIDFD_GETFD = 438n;

/**
 * A descriptor that is readable once a process has ended (pidfd_open(2)), to be closed by whoever
 * gets it; undefined when there is no such process or no descriptor left.
 */
export function openProcessDescriptor(pid: number): Descriptor | undefined {
  const descriptor = Number(libc().syscall(SYS_PIDFD_OPEN, BigInt(pid), 0n, 0n));
  return descriptor < 0 ? undefined : descriptor;
}

/** Whether {@linkcode copyDescriptor} is allowed here: containers often refuse it. */
export function canCopyDescriptors(): boolean {
  const held = openProcessDescriptor(Deno.pid);
  if (held === undefined) return false;
  // Of this program itself it may copy any.
  const copy = copyDescriptor(held, held);
  closeDescriptor(held);
  if (copy === undefined) return false;
  closeDescriptor(copy);
  return true;
}

/** A copy of one of a process's descriptors (pidfd_getfd(2)). Undefined if there is none to be had. */
export function copyDescriptor(process: Descriptor, number: number): Descriptor | undefined {
  const copy = Number(libc().syscall(SYS_PIDFD_GETFD, BigInt(process), BigInt(number), 0n));
  return copy < 0 ? undefined : copy;
}
