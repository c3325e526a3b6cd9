import { cString } from "./c_strings.ts";
import {
  AT_FDCWD,
  AT_SYMLINK_FOLLOW,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_TMPFILE,
  O_WRONLY,
  PATH_MAX,
  PROC_SUPER_MAGIC,
  RESOLVE_NO_XDEV,
  STATFS_BYTES,
  SYS_OPENAT2,
} from "./constants.ts";
import { decodeOsString } from "./os_string.ts";
import { closeDescriptor, type Descriptor } from "./descriptor.ts";
import { lastError, SystemError } from "./errno.ts";
import { libraryTable } from "./libc.ts";

const libc = libraryTable({
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  openat2: {
    name: "syscall",
    parameters: ["i64", "i64", "buffer", "buffer", "usize"],
    result: "i64",
  },
  readlinkat: { parameters: ["i32", "buffer", "buffer", "usize"], result: "isize" },
  linkat: { parameters: ["i32", "buffer", "i32", "buffer", "i32"], result: "i32" },
  fstatfs: { parameters: ["i32", "buffer"], result: "i32" },
});

/** Flags of open(2). */
export const Open = {
  ReadOnly: O_RDONLY,
  WriteOnly: O_WRONLY,
  Create: O_CREAT,
  Exclusive: O_EXCL,
  NonBlocking: O_NONBLOCK,
  Directory: O_DIRECTORY,
  NoFollow: O_NOFOLLOW,
  CloseOnExec: O_CLOEXEC,
  /** A file without a name, in the directory that is opened. Includes `Directory`. */
  Temporary: O_TMPFILE,
  /** Only to hold the object, whatever it is: neither its content nor a driver is touched. */
  PathOnly: O_PATH,
} as const;

/** Magic numbers (statfs(2), linux/magic.h) of file systems by whose files the kernel is told what to do, for the whole machine. */
const KERNEL_MAGICS: ReadonlySet<bigint> = new Set([
  PROC_SUPER_MAGIC,
  0x6265_6572n, // sysfs
  0x0027_e0ebn, // cgroup
  0x6367_7270n, // cgroup2
  0x6462_6720n, // debugfs
  0x7472_6163n, // tracefs
  0x7363_6673n, // securityfs
  0x6265_6570n, // configfs
  0xf97c_ff8cn, // selinuxfs
  0x4341_5d53n, // smackfs
  0xcafe_4a11n, // bpf
  0xde5e_81e4n, // efivarfs
  0x6165_676cn, // pstore
  0x4249_4e4dn, // binfmt_misc
  0x6573_5543n, // fusectl
  0x0765_5821n, // resctrl
  0x6c6f_6f70n, // binder
]);
const UNSIGNED_32 = 0xffff_ffffn;

const ITSELF = cString("");
/** Used again and again: most of what is asked is no link. */
const text = new Uint8Array(PATH_MAX);

/** Opens one name in a directory. @throws {SystemError} */
export function openAt(
  directory: Descriptor,
  name: string,
  flags: number,
  mode = 0,
): Descriptor {
  const found = libc().openat(directory, cString(name), flags | Open.CloseOnExec, mode);
  if (found < 0) throw lastError();
  return found;
}

/**
 * Opens what is at a path, only to hold it, if no name of the path is that of a link.
 *
 * @param root where the path begins
 * @throws {SystemError}
 */
export function openWithoutLinks(path: string, root = "/"): Descriptor {
  let at = openAt(-1, root, Open.PathOnly | Open.Directory);
  for (const name of path.split("/").filter((name) => name !== "")) {
    try {
      const next = openAt(at, name, Open.PathOnly | Open.NoFollow);
      closeDescriptor(at);
      at = next;
    } catch (error) {
      closeDescriptor(at);
      throw error;
    }
  }
  return at;
}

/**
 * Opens what a name in a directory leads to, if that is on the same mount all the way.
 *
 * @throws {SystemError} EXDEV if it is not
 */
export function openOnSameMount(directory: Descriptor, name: string, flags: number): Descriptor {
  // `struct open_how`: flags, mode, resolve (openat2(2), Linux 5.6).
  const how = BigUint64Array.of(BigInt(flags | Open.CloseOnExec), 0n, RESOLVE_NO_XDEV);
  const bytes = new Uint8Array(how.buffer);
  const size = BigInt(bytes.length);
  const found = libc().openat2(SYS_OPENAT2, BigInt(directory), cString(name), bytes, size);
  if (found < 0n) throw lastError();
  return Number(found);
}

/** What a link says that was opened by itself, or undefined if it is no link. */
export function linkText(link: Descriptor): string | undefined {
  const count = Number(libc().readlinkat(link, ITSELF, text, BigInt(PATH_MAX)));
  if (count < 0) return undefined;
  if (count === PATH_MAX) throw new SystemError("ENAMETOOLONG");
  return decodeOsString(text.subarray(0, count));
}

/**
 * Gives a file a name: its first, if it has none.
 *
 * @throws {SystemError} also if something has the name
 */
export function linkDescriptor(file: Descriptor, name: string): void {
  const path = cString(pathTo(file));
  if (libc().linkat(-1, path, AT_FDCWD, cString(name), AT_SYMLINK_FOLLOW) !== 0) {
    throw lastError();
  }
}

/** Whether it is about processes (proc(5)). */
export function isOnProc(object: Descriptor): boolean {
  return fileSystemMagic(object) === PROC_SUPER_MAGIC;
}

/** Whether its file system shows the kernel instead of holding data. */
export function isOnKernelFileSystem(object: Descriptor): boolean {
  return KERNEL_MAGICS.has(fileSystemMagic(object));
}

function fileSystemMagic(object: Descriptor): bigint {
  const answer = new DataView(new ArrayBuffer(STATFS_BYTES));
  if (libc().fstatfs(object, new Uint8Array(answer.buffer)) < 0) throw lastError();
  return answer.getBigInt64(0, true) & UNSIGNED_32;
}

/** Leads the system's functions to an open object itself, whatever has become of its name. */
export function pathTo(object: Descriptor): string {
  return `/proc/self/fd/${object}`;
}
