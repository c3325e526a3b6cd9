import { closeDescriptor, type Descriptor } from "./descriptor.ts";
import { Open, openAt } from "./open_at.ts";
import { lastError, SystemError } from "./errno.ts";
import { libraryTable } from "./libc.ts";

const libc = libraryTable({ ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" } });

/** Requests of ioctl(2) about what chattr(1) sets (ioctl_iflags(2)). */
const FS_IOC_GETFLAGS = 0x80086601n;
const FS_IOC_SETFLAGS = 0x40086602n;
/**
 * The flags that a file hands on to the one that replaces it: compressed or not, synchronous, left out
 * by dump(8), without a time of access, with journalled data, without tail merging, never copied on
 * write, mapped directly, in its directory's project. All others are the file system's own or say
 * that the file may not be replaced.
 */
const KEPT = 0x4 | 0x8 | 0x40 | 0x80 | 0x400 | 0x4000 | 0x8000 | 0x800000 | 0x2000000 | 0x20000000;

/**
 * Gives a file the flags of another that chattr(1) shows and sets. A file system that knows none has
 * none.
 *
 * @param to has no content yet: some can only be set then
 * @throws {SystemError} if one cannot be set
 */
export function copyInodeFlags(from: string, to: string): void {
  const wanted = withFile(from, flagsOf);
  if (wanted === undefined) return;
  withFile(to, (file) => {
    const present = flagsOf(file) ?? 0;
    const flags = (present & ~KEPT) | (wanted & KEPT);
    if (flags === present) return;
    const value = new Uint8Array(Int32Array.of(flags, 0).buffer);
    if (libc().ioctl(file, FS_IOC_SETFLAGS, value) !== 0) throw lastError();
  });
}

/** Undefined where there are none. */
function flagsOf(file: Descriptor): number | undefined {
  const value = new Int32Array(2);
  const found = libc().ioctl(file, FS_IOC_GETFLAGS, new Uint8Array(value.buffer)) === 0;
  return found ? value[0] : undefined;
}

/** One that may be written need not be one that may be read. */
function withFile<T>(path: string, use: (file: Descriptor) => T): T {
  const file = open(path);
  try {
    return use(file);
  } finally {
    closeDescriptor(file);
  }
}

function open(path: string): Descriptor {
  try {
    return openAt(-1, path, Open.ReadOnly | Open.NonBlocking);
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== "EACCES") throw error;
    return openAt(-1, path, Open.WriteOnly | Open.NonBlocking);
  }
}
