import { O_CLOEXEC } from "./constants.ts";
import type { Descriptor } from "./descriptor.ts";
import { describeErrno, lastErrno } from "./errno.ts";
import { libraryTable } from "./libc.ts";

const calls = libraryTable({
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  eventfd_read: { parameters: ["i32", "buffer"], result: "i32" },
  eventfd_write: { parameters: ["i32", "u64"], result: "i32" },
});

/**
 * A descriptor that is readable from when it is rung until that is heard (eventfd(2)), on whichever
 * thread it is waited for.
 *
 * @throws {Error} if there is none left
 */
export function openBell(): Descriptor {
  const descriptor = calls().eventfd(0, O_CLOEXEC);
  if (descriptor >= 0) return descriptor;
  throw new Error(`cannot open an event: ${describeErrno(lastErrno())}`);
}

export function ringBell(bell: Descriptor): void {
  calls().eventfd_write(bell, 1n);
}

/** How often it has been rung since it was heard last. To be called when it is readable. */
export function hearBell(bell: Descriptor): number {
  const count = new BigUint64Array(1);
  calls().eventfd_read(bell, new Uint8Array(count.buffer));
  return Number(count[0] ?? 0n);
}
