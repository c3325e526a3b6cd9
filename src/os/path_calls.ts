import {
  AT_EMPTY_PATH,
  F_GETFL,
  F_SETFL,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  SYS_OPENAT2,
} from "./constants.ts";
import type { Descriptor } from "./descriptor.ts";
import { lastErrno } from "./errno.ts";
import { orAgain } from "./lacking_descriptors.ts";
import { libraryTable } from "./libc.ts";
import { Open } from "./open_at.ts";

/** What following a path by descriptors takes of the C library. Names are bytes with a NUL at their end. */
const calls = libraryTable({
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  openat2: {
    name: "syscall",
    parameters: ["i64", "i64", "buffer", "buffer", "i64"],
    result: "i64",
  },
  readlinkat: { parameters: ["i32", "buffer", "buffer", "usize"], result: "isize" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  pread: { parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
});

const F_DUPFD_CLOEXEC = 1030;
const STATX_TYPE_MODE_NLINK_UID_INO = 0x1 | 0x2 | 0x4 | 0x8 | 0x100;

/** File types in `st_mode` (inode(7)). */
export const FileType = {
  Mask: 0o170000,
  Regular: 0o100000,
  Pipe: 0o010000,
  CharacterDevice: 0o020000,
  Directory: 0o040000,
  Link: 0o120000,
  Socket: 0o140000,
} as const;

/** What the kernel says of an open object (statx(2)). */
export interface ObjectStatus {
  readonly mode: number;
  /** Whether something is mounted there, of which it is the root. */
  readonly isMountRoot: boolean;
  readonly links: number;
  readonly user: number;
  readonly inode: bigint;
  /** Of what a device node stands for. */
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** The number of the file system that it is on. */
  readonly fileSystem: bigint;
}

/** Since Linux 5.8. */
const STATX_ATTR_MOUNT_ROOT = 0x2000n;
const EMPTY = new Uint8Array(new ArrayBuffer(1));
const how = new BigUint64Array(new ArrayBuffer(24));
const howBytes = new Uint8Array(how.buffer);
const status = new DataView(new ArrayBuffer(256));
const statusBytes = new Uint8Array(status.buffer);

/**
 * Opens one name in a directory (openat(2)), as `openAt` does for names that are text. Returns the
 * negative error number if it fails.
 */
export function tryOpenAt(
  directory: Descriptor,
  name: Uint8Array<ArrayBuffer>,
  flags: number,
): Descriptor | number {
  const open = () => resultOf(calls().openat(directory, name, flags | Open.CloseOnExec, 0));
  return orAgain(open(), open);
}

/**
 * Holds the directory at a path (openat2(2)), all links followed but those of proc(5) that lead to
 * other processes' files. Returns the negative error number if it fails.
 *
 * @param followsLinks whether other links are followed; if not, it fails with ELOOP at one
 */
export function openDirectoryAt(
  directory: Descriptor,
  path: Uint8Array<ArrayBuffer>,
  followsLinks = true,
): Descriptor | number {
  how[0] = BigInt(Open.PathOnly | Open.Directory | Open.CloseOnExec);
  how[1] = 0n;
  how[2] = followsLinks ? RESOLVE_NO_MAGICLINKS : RESOLVE_NO_SYMLINKS;
  const open = () =>
    resultOf(Number(calls().openat2(SYS_OPENAT2, BigInt(directory), path, howBytes, 24n)));
  return orAgain(open(), open);
}

/** readlinkat(2): the number of bytes, or the negative error number. */
export function readLinkAt(
  directory: Descriptor,
  name: Uint8Array<ArrayBuffer>,
  into: Uint8Array<ArrayBuffer>,
): number {
  const count = Number(calls().readlinkat(directory, name, into, BigInt(into.length)));
  return count < 0 ? -lastErrno() : count;
}

/** What an open object is. Returns the negative error number if the kernel does not tell. */
export function statusOf(object: Descriptor): ObjectStatus | number {
  const failed = calls().statx(
    object,
    EMPTY,
    AT_EMPTY_PATH,
    STATX_TYPE_MODE_NLINK_UID_INO,
    statusBytes,
  );
  if (failed !== 0) return -lastErrno();
  return {
    isMountRoot: (status.getBigUint64(8, true) & STATX_ATTR_MOUNT_ROOT) !== 0n,
    links: status.getUint32(16, true),
    user: status.getUint32(20, true),
    mode: status.getUint16(28, true),
    inode: status.getBigUint64(32, true),
    deviceMajor: status.getUint32(128, true),
    deviceMinor: status.getUint32(132, true),
    fileSystem: status.getBigUint64(136, true),
  };
}

/** Reads a file from its beginning (pread(2)): the number of bytes, or the negative error number. */
export function readFrom(file: Descriptor, into: Uint8Array<ArrayBuffer>): number {
  const count = Number(calls().pread(file, into, BigInt(into.length), 0n));
  return count < 0 ? -lastErrno() : count;
}

/** Cuts or extends a file that is open for writing (ftruncate(2)). Returns 0 or the negative error number. */
export function truncateOpen(file: Descriptor, length: bigint): number {
  return calls().ftruncate(file, length) === 0 ? 0 : -lastErrno();
}

/** Changes those flags of an open file that can be changed (F_SETFL in fcntl(2)). */
export function setStatusFlags(file: Descriptor, flags: number): void {
  calls().fcntl(file, F_SETFL, flags);
}

/** The flags of an open file (F_GETFL), or the negative error number. */
export function statusFlags(file: Descriptor): number {
  const flags = calls().fcntl(file, F_GETFL, 0);
  return flags < 0 ? -lastErrno() : flags;
}

/** A second descriptor of the same open file. Returns the negative error number if it fails. */
export function duplicate(descriptor: Descriptor): Descriptor | number {
  const copy = () => resultOf(calls().fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
  return orAgain(copy(), copy);
}

function resultOf(returned: number): number {
  return returned < 0 ? -lastErrno() : returned;
}
