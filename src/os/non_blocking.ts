import { F_GETFL, O_NONBLOCK } from "./constants.ts";
import { type Descriptor, writeDescriptor } from "./descriptor.ts";
import { describeErrno, EAGAIN, lastErrno } from "./errno.ts";
import { linuxTable } from "./libc.ts";

const libc = linuxTable({
  fcntl: { parameters: ["i32", "i32"], result: "i32" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32", nonblocking: true },
  poll_now: { name: "poll", parameters: ["buffer", "u64", "i32"], result: "i32" },
});

const EPIPE = 32;
/** What a descriptor is to be ready for, as poll(2) has it. */
const EVENTS = { read: 0x001, write: 0x004 } as const;
/** A wait is cut into pieces of so many milliseconds, each of which takes a thread. */
const PIECE_MS = 60_000;
/** How long to wait where the system cannot be asked, in milliseconds. */
const PAUSE_MS = 10;

/**
 * Whether reads and writes of a descriptor return instead of waiting. The flag belongs to the open
 * file, which several programs may share: any of them can set it at any time (open(2)). Known on
 * Linux only.
 */
export function isNonBlocking(descriptor: Descriptor): boolean {
  const flags = libc()?.fcntl(descriptor, F_GETFL) ?? 0;
  return flags >= 0 && (flags & O_NONBLOCK) !== 0;
}

/**
 * Writes what a non-blocking descriptor takes for now, and tells how many bytes that was. The
 * runtime's own write loses count where it does not take all.
 *
 * @throws {Deno.errors.BrokenPipe} when nobody reads it any more
 * @throws {Error} in the system's words
 */
export function writeSome(descriptor: Descriptor, bytes: Uint8Array<ArrayBuffer>): number {
  if (Deno.build.os !== "linux") return 0;
  const count = writeDescriptor(descriptor, bytes);
  if (count >= 0) return count;
  const errno = lastErrno();
  if (errno === EAGAIN) return 0;
  throw errno === EPIPE
    ? new Deno.errors.BrokenPipe(describeErrno(errno))
    : new Error(describeErrno(errno));
}

/** Waits until a descriptor can be read or written, or has failed, on another thread. */
export async function untilReady(descriptor: Descriptor, what: "read" | "write"): Promise<void> {
  const functions = libc();
  if (functions === undefined) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    return;
  }
  // 0 is a timeout; after an error, as of an interrupted call, the caller looks for itself.
  while (await functions.poll(question(descriptor, what), 1n, PIECE_MS) === 0);
}

/** The same on this thread, for so many milliseconds at the most. */
export function waitUntilReady(
  descriptor: Descriptor,
  what: "read" | "write",
  milliseconds: number,
): void {
  libc()?.poll_now(question(descriptor, what), 1n, milliseconds);
}

/** A struct pollfd. */
function question(descriptor: Descriptor, what: "read" | "write"): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(8));
  view.setInt32(0, descriptor, true);
  view.setInt16(4, EVENTS[what], true);
  return new Uint8Array(view.buffer);
}
