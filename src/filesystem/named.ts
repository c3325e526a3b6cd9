import { closeDescriptor } from "../os/descriptor.ts";
import { decodeOsString, encodeOsString } from "../os/os_string.ts";
import { PathUri, PathUriError } from "../protocol/path_uri.ts";
import { linkText, Open, openAt, pathTo } from "../os/open_at.ts";
import { undecodableDirEntries } from "../os/directory_entries.ts";
import {
  mkdirSync,
  realPathSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from "../os/names.ts";
import { systemErrorCode } from "./io_error.ts";
import { emptyDirectory } from "./remove_tree.ts";

// Functions of the system that take names or tell them. The runtime's do it for names that are
// UTF-8. Others (`decodeOsString`) it can neither take nor tell: for those the system is called directly,
// on the calling thread.

/**
 * The native path of a URI; bytes that are not UTF-8 as `decodeOsString` has them.
 *
 * @throws {PathUriError} if it is not one of this host's
 */
export function hostPath(uri: PathUri): string {
  try {
    return uri.toNativePath();
  } catch (error) {
    const other = error instanceof PathUriError && error.code === "encoding";
    if (!other || Deno.build.os === "windows") throw error;
    return decodeOsString(uri.toNativeBytes());
  }
}

/** The URI of an absolute native path as {@linkcode hostPath} has it. */
export function uriOf(path: string): PathUri {
  return PathUri.fromNativePath(path.isWellFormed() ? path : encodeOsString(path));
}

/** The path without symbolic links that leads to the same place. */
export async function realPath(path: string): Promise<string> {
  if (path.isWellFormed()) {
    try {
      return await Deno.realPath(path);
    } catch (error) {
      if (!isUntold(error)) throw error;
    }
  }
  return realPathSync(path);
}

/** What a link says. */
export async function readLink(path: string): Promise<string> {
  if (path.isWellFormed()) {
    try {
      return await Deno.readLink(path);
    } catch (error) {
      if (!isUntold(error)) throw error;
    }
  }
  const link = openAt(-1, path, Open.PathOnly | Open.NoFollow);
  try {
    return linkText(link) ?? await Deno.readLink(pathTo(link));
  } finally {
    closeDescriptor(link);
  }
}

/** What is in a directory, in the system's order, those names last that are not UTF-8. */
export async function* listEntries(path: string): AsyncGenerator<Deno.DirEntry, void> {
  yield* Deno.readDir(path);
  if (Deno.build.os === "linux") yield* undecodableDirEntries(path);
}

export async function makeLink(target: string, path: string): Promise<void> {
  if (target.isWellFormed() && path.isWellFormed()) return await Deno.symlink(target, path);
  symlinkSync(target, path);
}

export async function makeDirectory(path: string): Promise<void> {
  if (path.isWellFormed()) return await Deno.mkdir(path);
  mkdirSync(path);
}

/** Gives a file another name, which whatever had it loses. */
export async function rename(from: string, to: string): Promise<void> {
  if (from.isWellFormed() && to.isWellFormed()) return await Deno.rename(from, to);
  renameSync(from, to);
}

/** Removes a file, a link or a directory, with what is in it if asked to, however deep. */
export async function remove(path: string, recursive: boolean): Promise<void> {
  // With what is in it, the runtime would need a stack as deep as the directories are nested.
  if (Deno.build.os !== "linux") return await Deno.remove(path, { recursive });
  try {
    return await removeOne(path);
  } catch (error) {
    const code = systemErrorCode(error);
    if (!recursive || (code !== "ENOTEMPTY" && code !== "EEXIST")) throw error;
  }
  await emptyDirectory(path);
  await removeOne(path);
}

/** Removes a file, a link or an empty directory. */
async function removeOne(path: string): Promise<void> {
  if (path.isWellFormed()) return await Deno.remove(path);
  try {
    return unlinkSync(path);
  } catch (error) {
    if (systemErrorCode(error) !== "EISDIR") throw error;
  }
  rmdirSync(path);
}

/** Whether the runtime was told something that is not UTF-8. */
function isUntold(error: unknown): boolean {
  return Deno.build.os === "linux" && error instanceof Deno.errors.InvalidData;
}
