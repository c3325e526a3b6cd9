import { O_CLOEXEC } from "./constants.ts";
import type { Descriptor } from "./descriptor.ts";
import { describeErrno, lastErrno } from "./errno.ts";
import { libraryTable } from "./libc.ts";

const calls = libraryTable({
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  eventfd_write: { parameters: ["i32", "u64"], result: "i32" },
});

/** A descriptor that is readable from when it is raised (eventfd(2)). @throws {Error} if there is none left */
export function openAlarm(): Descriptor {
  const descriptor = calls().eventfd(0, O_CLOEXEC);
  if (descriptor >= 0) return descriptor;
  throw new Error(`cannot open an event: ${describeErrno(lastErrno())}`);
}

/** Makes it readable for good, on whichever thread it is waited for. */
export function raiseAlarm(alarm: Descriptor): void {
  calls().eventfd_write(alarm, 1n);
}
