import { linuxTable } from "./libc.ts";

const libc = linuxTable({
  close: { parameters: ["i32"], result: "i32" },
  close_elsewhere: { name: "close", parameters: ["i32"], result: "i32", nonblocking: true },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
});

/**
 * The kernel's number of an open file, pipe, socket, terminal, namespace or process, unlike those
 * that the runtime gives to its own.
 */
export type Descriptor = number;

/** Closes a descriptor; the kernel frees it whatever the answer, so there is nothing to handle. */
export function closeDescriptor(descriptor: Descriptor): void {
  libc()?.close(descriptor);
}

/**
 * Closes a descriptor on another thread: the last one of a file without a name frees its blocks,
 * which takes long for a large file.
 */
export function closeElsewhere(descriptor: Descriptor): void {
  void libc()?.close_elsewhere(descriptor);
}

/** Reads what is there. Returns the number of bytes, 0 at the end, or a negative number (read(2)). */
export function readDescriptor(descriptor: Descriptor, buffer: Uint8Array<ArrayBuffer>): number {
  return Number(libc()?.read(descriptor, buffer, BigInt(buffer.length)) ?? -1);
}

/** Writes what is taken at once. Returns the number of bytes, or a negative number (write(2)). */
export function writeDescriptor(descriptor: Descriptor, bytes: Uint8Array<ArrayBuffer>): number {
  return Number(libc()?.write(descriptor, bytes, BigInt(bytes.length)) ?? -1);
}
