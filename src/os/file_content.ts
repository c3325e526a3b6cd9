import type { Descriptor } from "./descriptor.ts";
import { lastError } from "./errno.ts";
import { libraryTable } from "./libc.ts";

const libc = libraryTable({
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  futimens: { parameters: ["i32", "buffer"], result: "i32" },
  fchown: { parameters: ["i32", "u32", "u32"], result: "i32" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  // The others may wait for the disk, and so are called on another thread.
  ioctl: { parameters: ["i32", "u64", "i64"], result: "i32", nonblocking: true },
  copy_file_range: {
    parameters: ["i32", "buffer", "i32", "buffer", "usize", "u32"],
    result: "isize",
    nonblocking: true,
  },
  sync_file_range: { parameters: ["i32", "i64", "i64", "u32"], result: "i32", nonblocking: true },
});

/** Lets a file have the blocks of another until one of them is written to (ioctl_ficlone(2)). */
const FICLONE = 0x40049409n;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const SYNC_FILE_RANGE_WRITE = 2;
const TO_THE_END = 0n;
/** In the place of nanoseconds: the time stays as it is (utimensat(2)). */
const UTIME_OMIT = 0x3fff_fffen;

/** A part of a file, in bytes; `end` is the first byte that does not belong to it. */
export interface FileRange {
  readonly start: number;
  readonly end: number;
}

/** Sets the permissions of an open file (fchmod(2)). @throws {SystemError} */
export function setMode(file: Descriptor, mode: number): void {
  succeed(libc().fchmod(file, mode));
}

/** Sets when an open file was modified, in milliseconds since 1970 (futimens(3)). @throws {SystemError} */
export function setModificationTime(file: Descriptor, milliseconds: number): void {
  const seconds = Math.floor(milliseconds / 1000);
  const nanoseconds = (milliseconds - seconds * 1000) * 1_000_000;
  // Two `struct timespec`: of access, which stays, and of modification.
  const times = BigInt64Array.of(0n, UTIME_OMIT, BigInt(seconds), BigInt(nanoseconds));
  succeed(libc().futimens(file, new Uint8Array(times.buffer)));
}

/** Sets the owner and the group of an open file (fchown(2)). @throws {SystemError} */
export function setOwner(file: Descriptor, user: number, group: number): void {
  succeed(libc().fchown(file, user, group));
}

/** Sets the length of an open file, in bytes; what is added is a hole (ftruncate(2)). @throws {SystemError} */
export function setLength(file: Descriptor, length: number): void {
  succeed(libc().ftruncate(file, BigInt(length)));
}

/** Has one file share the blocks of another. Returns false where the file system cannot. */
export async function shareBlocks(from: Descriptor, to: Descriptor): Promise<boolean> {
  return await libc().ioctl(to, FICLONE, BigInt(from)) === 0;
}

/** The parts of a file that are not holes (lseek(2)); all of it, where the file system does not tell. */
export function* dataRanges(file: Descriptor, size: number): Generator<FileRange, void> {
  for (let at = 0; at < size;) {
    const start = Number(libc().lseek(file, BigInt(at), SEEK_DATA));
    if (start < 0) {
      const { code } = lastError();
      // There is nothing but a hole.
      if (code !== "ENXIO") yield { start: at, end: size };
      return;
    }
    const hole = Number(libc().lseek(file, BigInt(start), SEEK_HOLE));
    const end = hole < 0 ? size : Math.min(hole, size);
    yield { start, end };
    at = end;
  }
}

/**
 * Copies bytes from one file to the same place of another within the kernel (copy_file_range(2)).
 * Returns how many were copied; none, or a negative number, where the kernel cannot.
 */
export async function copyWithinKernel(
  from: Descriptor,
  to: Descriptor,
  at: number,
  length: number,
): Promise<number> {
  const [read, written] = [position(at), position(at)];
  return Number(await libc().copy_file_range(from, read, to, written, BigInt(length), 0));
}

/**
 * Begins to write a file's content out to the disk, without waiting for the end of it
 * (sync_file_range(2)). Settles when all of it is in the disk's queue.
 */
export async function beginWriteback(file: Descriptor): Promise<void> {
  await libc().sync_file_range(file, 0n, TO_THE_END, SYNC_FILE_RANGE_WRITE);
}

function position(at: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(BigInt64Array.of(BigInt(at)).buffer);
}

function succeed(result: number): void {
  if (result !== 0) throw lastError();
}
