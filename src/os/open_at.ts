import { cString, decodeOsString } from "./os_string.ts";
import {
  AT_FDCWD,
  AT_SYMLINK_FOLLOW,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOCTTY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
  O_WRONLY,
  PATH_MAX,
  PROC_SUPER_MAGIC,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_XDEV,
  STATFS_BYTES,
  SYS_OPENAT2,
} from "./constants.ts";
import { closeDescriptor, type Descriptor } from "./descriptor.ts";
import { lastError, SystemError } from "./errno.ts";
import { KERNEL_FILE_SYSTEMS } from "./kernel_file_systems.ts";
import { libraryTable } from "./libc.ts";

const libc = libraryTable({
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  openat_elsewhere: {
    name: "openat",
    parameters: ["i32", "buffer", "i32", "u32"],
    result: "i32",
    nonblocking: true,
  },
  openat2: {
    name: "syscall",
    parameters: ["i64", "i64", "buffer", "buffer", "usize"],
    result: "i64",
  },
  readlinkat: { parameters: ["i32", "buffer", "buffer", "usize"], result: "isize" },
  linkat: { parameters: ["i32", "buffer", "i32", "buffer", "i32"], result: "i32" },
  fstatfs: { parameters: ["i32", "buffer"], result: "i32" },
});

const ARM = Deno.build.arch === "aarch64";

/** Flags of open(2) as the kernel has them; architectures differ in some (asm/fcntl.h). */
export const Open = {
  ReadOnly: O_RDONLY,
  WriteOnly: O_WRONLY,
  ReadWrite: O_RDWR,
  /** The bits that tell those three apart. */
  AccessMode: 0o3,
  Create: O_CREAT,
  Exclusive: O_EXCL,
  /** Not to make a terminal this process's own. */
  NoTerminal: O_NOCTTY,
  Truncate: 0o1000,
  Append: 0o2000,
  NonBlocking: O_NONBLOCK,
  Async: 0o20000,
  Direct: ARM ? 0o200000 : 0o40000,
  Directory: O_DIRECTORY,
  NoFollow: O_NOFOLLOW,
  NoAccessTime: 0o1000000,
  CloseOnExec: O_CLOEXEC,
  /** Only to hold the object, whatever it is: neither its content nor a driver is touched. */
  PathOnly: O_PATH,
  /** A file without a name, in the directory that is opened. Includes `Directory`. */
  Temporary: O_TMPFILE,
  /** The bit of `Temporary` that no other has. */
  TemporaryBit: O_TMPFILE & ~O_DIRECTORY,
  /** All that there are: openat2 refuses others, which openat ignores. */
  All: 0o37777703,
} as const;

const KERNEL_MAGICS: ReadonlySet<bigint> = new Set(
  KERNEL_FILE_SYSTEMS.flatMap(({ magic }) => magic ?? []),
);
const UNSIGNED_32 = 0xffff_ffffn;

const OPEN_OBJECTS = "/proc/self/fd/";
const ITSELF = cString("");
/** Used again and again: most of what is asked is no link. */
const text = new Uint8Array(PATH_MAX);
const fileSystem = new DataView(new ArrayBuffer(STATFS_BYTES));
const fileSystemBytes = new Uint8Array(fileSystem.buffer);

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

/** The same on another thread, which a file system may hold up. @throws {SystemError} */
export async function openAtElsewhere(
  directory: Descriptor,
  name: string,
  flags: number,
): Promise<Descriptor> {
  const found = await libc().openat_elsewhere(
    directory,
    cString(name),
    flags | Open.CloseOnExec,
    0,
  );
  // The number of the error is that thread's. The file system has just answered, and tells it again.
  return found < 0 ? openAt(directory, name, flags) : found;
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

/** Opens what names in a directory lead to, as far as that is on the same mount all the way. */
export class SameMount implements Disposable {
  readonly #directory: Descriptor;
  /** Where absolute links begin, and the directory's path from there. */
  #root: { readonly descriptor: Descriptor; readonly path: string } | undefined;

  constructor(directory: Descriptor) {
    this.#directory = directory;
  }

  /**
   * Opens one only to hold it. An absolute link begins at the root directory: if a mount covers that,
   * as on a machine whose first program has mounted another root over its own, it would leave the mount
   * for a moment. The names are then looked up from what covers it.
   *
   * @throws {SystemError} EXDEV if it is on another mount
   */
  hold(name: string): Descriptor {
    const found = openResolved(this.#directory, name, RESOLVE_NO_XDEV);
    if (found >= 0) return found;
    const error = lastError();
    if (error.code !== "EXDEV") throw error;
    const { descriptor, path } = this.#root ??= {
      descriptor: openAt(-1, "/", Open.PathOnly | Open.Directory),
      path: Deno.readLinkSync(pathTo(this.#directory)),
    };
    const again = openResolved(descriptor, `${path}/${name}`, RESOLVE_NO_XDEV | RESOLVE_IN_ROOT);
    // What is found missing there may have been moved.
    if (again < 0) throw error;
    return again;
  }

  [Symbol.dispose](): void {
    if (this.#root !== undefined) closeDescriptor(this.#root.descriptor);
  }
}

/** Holds what a path leads to (openat2(2), Linux 5.6). Returns a negative number if that fails. */
function openResolved(directory: Descriptor, path: string, resolve: bigint): number {
  // `struct open_how`: flags, mode, resolve.
  const how = BigUint64Array.of(BigInt(Open.PathOnly | Open.CloseOnExec), 0n, resolve);
  const bytes = new Uint8Array(how.buffer);
  const size = BigInt(bytes.length);
  return Number(libc().openat2(SYS_OPENAT2, BigInt(directory), cString(path), bytes, size));
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

/** Whether its file system is about processes (proc(5)). @throws {SystemError} if nobody tells */
export function isOnProc(object: Descriptor): boolean {
  return fileSystemMagic(object) === PROC_SUPER_MAGIC;
}

/** Whether its file system shows the kernel instead of holding data. @throws {SystemError} */
export function isOnKernelFileSystem(object: Descriptor): boolean {
  return KERNEL_MAGICS.has(fileSystemMagic(object));
}

function fileSystemMagic(object: Descriptor): bigint {
  if (libc().fstatfs(object, fileSystemBytes) < 0) throw lastError();
  return fileSystem.getBigInt64(0, true) & UNSIGNED_32;
}

/** Whether a path begins at an open object, as those of {@linkcode pathTo} do. */
export function isPathTo(path: string): boolean {
  return path.startsWith(OPEN_OBJECTS);
}

/** Leads the system's functions to an open object itself, whatever has become of its name. */
export function pathTo(object: Descriptor): string {
  return `${OPEN_OBJECTS}${object}`;
}
