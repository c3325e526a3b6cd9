import { libc } from "./libc.ts";

/**
 * The kernel's number of an open file, pipe, socket, terminal, namespace or process, unlike those
 * that the runtime gives to its own.
 */
export type Descriptor = number;

/** Closes a descriptor; the kernel frees it whatever the answer, so there is nothing to handle. */
export function closeDescriptor(descriptor: Descriptor): void {
  libc?.close(descriptor);
}
