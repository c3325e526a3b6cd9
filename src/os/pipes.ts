import { cString } from "./os_string.ts";
import { closeDescriptor, type Descriptor } from "./descriptor.ts";
import { describeErrno, lastErrno } from "./errno.ts";
import { F_SETFL, O_CLOEXEC, O_NONBLOCK, SYS_CLOSE_RANGE } from "./constants.ts";
import { libraryTable } from "./libc.ts";

const libc = libraryTable({
  open: { parameters: ["buffer", "i32"], result: "i32" },
  pipe2: { parameters: ["buffer", "i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
  pwrite: { parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  syscall: { parameters: ["i64", "i64", "i64", "i64"], result: "i64" },
});

const POLLIN = 1;
const MFD_CLOEXEC = 1;
const F_DUPFD_CLOEXEC = 1030;
const F_SETPIPE_SZ = 1031;
const CLOSE_RANGE_CLOEXEC = 4n;

const pair = new Int32Array(2);
const pairBytes = new Uint8Array(pair.buffer);

/** The two ends of a pipe; the program being started never inherits them by accident. */
export interface Pipe {
  readonly readEnd: Descriptor;
  readonly writeEnd: Descriptor;
}

/** Opens a file. @throws {Error} when that fails */
export function openForReading(path: string): Descriptor {
  const file = libc().open(cString(path), O_CLOEXEC);
  if (file < 0) throw new Error(`cannot open ${path}: ${describeErrno(lastErrno())}`);
  return file;
}

/** Opens a pipe. @throws {Error} when the process has no descriptors left */
export function openPipe(): Pipe {
  if (libc().pipe2(pairBytes, O_CLOEXEC) !== 0) {
    throw new Error(`cannot open a pipe: ${describeErrno(lastErrno())}`);
  }
  return { readEnd: pair[0] ?? -1, writeEnd: pair[1] ?? -1 };
}

/**
 * A file in memory that holds these bytes, to be read from its beginning (memfd_create(2)).
 *
 * @throws {Error} when there is no descriptor or no memory left
 */
export function openMemoryFile(bytes: Uint8Array<ArrayBuffer>): Descriptor {
  const file = libc().memfd_create(cString("data"), MFD_CLOEXEC);
  if (file < 0) throw new Error(`cannot open a file in memory: ${describeErrno(lastErrno())}`);
  for (let offset = 0; offset < bytes.length;) {
    const rest = bytes.subarray(offset);
    const count = Number(libc().pwrite(file, rest, BigInt(rest.length), BigInt(offset)));
    if (count <= 0) {
      closeDescriptor(file);
      throw new Error("cannot write a file in memory");
    }
    offset += count;
  }
  return file;
}

/**
 * A second descriptor of the same open file, which can be watched on its own.
 *
 * @param lowest the smallest number that it may have
 */
export function duplicate(descriptor: Descriptor, lowest = 0): Descriptor {
  const copy = libc().fcntl(descriptor, F_DUPFD_CLOEXEC, lowest);
  if (copy < 0) throw new Error(`cannot duplicate a descriptor: ${describeErrno(lastErrno())}`);
  return copy;
}

/** Makes reads and writes return at once instead of waiting. */
export function setNonBlocking(descriptor: Descriptor): void {
  libc().fcntl(descriptor, F_SETFL, O_NONBLOCK);
}

/**
 * Asks for a larger pipe, so that a fast writer is interrupted less often.
 *
 * The kernel refuses ordinary users past a total (pipe(7)); the pipe then stays as it was.
 */
export function growPipe(descriptor: Descriptor, bytes: number): void {
  libc().fcntl(descriptor, F_SETPIPE_SZ, bytes);
}

/**
 * Keeps every descriptor past stderr from the programs started later.
 *
 * Deno marks its own; those that this program inherited are not marked. Needs Linux 5.11; on an
 * older kernel inherited descriptors stay as they came.
 */
export function closeInheritedDescriptorsOnExec(): void {
  libc().syscall(SYS_CLOSE_RANGE, 3n, 0xffffffffn, CLOSE_RANGE_CLOEXEC);
}

/**
 * Whether somebody writes to a named pipe, or has done so and left, since its reading end was opened:
 * what open(2) waits for, unless it is not to wait. Takes nothing out of the pipe.
 *
 * @param reader does not wait (O_NONBLOCK)
 */
export function hasHadWriter(reader: Descriptor): boolean {
  const polled = new Uint8Array(Int32Array.of(reader, POLLIN).buffer);
  // There is something to read, or a writer has left.
  if (libc().poll(polled, 1n, 0) > 0) return true;
  // Without a writer this is the end (0), else EAGAIN; what has come meanwhile goes nowhere (EFAULT).
  return Number(libc().read(reader, null, 1n)) < 0;
}
