import { AT_FDCWD, AT_REMOVEDIR, PATH_MAX } from "./constants.ts";
import { cString, decodeOsString } from "./os_string.ts";
import type { Descriptor } from "./descriptor.ts";
import { lastError } from "./errno.ts";
import { libraryTable } from "./libc.ts";

const libc = libraryTable({
  renameat: { parameters: ["i32", "buffer", "i32", "buffer"], result: "i32" },
  unlinkat: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  mkdirat: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  symlinkat: { parameters: ["buffer", "i32", "buffer"], result: "i32" },
  realpath: { parameters: ["buffer", "buffer"], result: "pointer" },
});

const ANYONE_BUT_FOR_THE_UMASK = 0o777;

// The runtime has functions for all of this. These take names that are not UTF-8 (`decodeOsString`),
// which the runtime can neither take nor tell, and work on the calling thread. Linux only.

/** The path without symbolic links that leads to the same place (realpath(3)). @throws {SystemError} */
export function realPathSync(path: string): string {
  const found = new Uint8Array(PATH_MAX);
  if (libc().realpath(cString(path), found) === null) throw lastError();
  return decodeOsString(found.subarray(0, found.indexOf(0)));
}

/** Makes a symbolic link (symlink(2)). @throws {SystemError} */
export function symlinkSync(target: string, path: string): void {
  succeed(libc().symlinkat(cString(target), AT_FDCWD, cString(path)));
}

/** Makes a directory (mkdir(2)). @throws {SystemError} */
export function mkdirSync(path: string): void {
  succeed(libc().mkdirat(AT_FDCWD, cString(path), ANYONE_BUT_FOR_THE_UMASK));
}

/** Gives a file another name, which whatever had it loses (rename(2)). @throws {SystemError} */
export function renameSync(from: string, to: string): void {
  succeed(libc().renameat(AT_FDCWD, cString(from), AT_FDCWD, cString(to)));
}

/** Removes a file or a link (unlink(2)). @throws {SystemError} EISDIR or EPERM for a directory */
export function unlinkSync(path: string): void {
  succeed(libc().unlinkat(AT_FDCWD, cString(path), 0));
}

/** Removes an empty directory (rmdir(2)). @throws {SystemError} */
export function rmdirSync(path: string): void {
  succeed(libc().unlinkat(AT_FDCWD, cString(path), AT_REMOVEDIR));
}

/** Removes a file or a link in a directory (unlinkat(2)). @throws {SystemError} EISDIR for a directory */
export function unlinkAt(directory: Descriptor, name: string): void {
  succeed(libc().unlinkat(directory, cString(name), 0));
}

/** Removes an empty directory in a directory (unlinkat(2)). @throws {SystemError} */
export function rmdirAt(directory: Descriptor, name: string): void {
  succeed(libc().unlinkat(directory, cString(name), AT_REMOVEDIR));
}

function succeed(result: number): void {
  if (result !== 0) throw lastError();
}
