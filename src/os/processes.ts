import { closeDescriptor, type Descriptor } from "./descriptor.ts";

const functions = {
  syscall: { parameters: ["i64", "i64", "i64", "i64"], result: "i64" },
} as const satisfies Deno.ForeignLibraryInterface;

type Calls = Deno.DynamicLibrary<typeof functions>["symbols"];

let opened: Calls | undefined;

function calls(): Calls {
  return opened ??= Deno.dlopen("libc.so.6", functions).symbols;
}

/** The same numbers on all architectures. */
const SYS_PIDFD_OPEN = 434n;
const SYS_PIDFD_GETFD = 438n;

/** Holds a process (pidfd_open(2)). Undefined if there is none, or no descriptor left. */
export function openProcess(process: number): Descriptor | undefined {
  const held = Number(calls().syscall(SYS_PIDFD_OPEN, BigInt(process), 0n, 0n));
  return held < 0 ? undefined : held;
}

/** Whether {@linkcode copyDescriptor} is allowed here: containers often refuse it. */
export function canCopyDescriptors(): boolean {
  const held = openProcess(Deno.pid);
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
  const copy = Number(calls().syscall(SYS_PIDFD_GETFD, BigInt(process), BigInt(number), 0n));
  return copy < 0 ? undefined : copy;
}
