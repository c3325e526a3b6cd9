import type { Descriptor } from "./descriptor.ts";
import { libraryTable } from "./libc.ts";

const calls = libraryTable({
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
});

const POLLIN = 1;

/**
 * Whether somebody writes to a pipe, or has done so and left, since its reading end was opened: what
 * open(2) waits for, unless it is not to wait. Takes nothing out of the pipe.
 *
 * @param reader does not wait (O_NONBLOCK)
 */
export function hasHadWriter(reader: Descriptor): boolean {
  const polled = new Uint8Array(Int32Array.of(reader, POLLIN).buffer);
  // There is something to read, or a writer has left.
  if (calls().poll(polled, 1n, 0) > 0) return true;
  // Without a writer this is the end (0), else EAGAIN; what has come meanwhile goes nowhere (EFAULT).
  return Number(calls().read(reader, null, 1n)) < 0;
}
