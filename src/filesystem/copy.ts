import { basename, dirname } from "node:path";
import { invalidRequest } from "../protocol/errors.ts";
import type { Params, ResultInput } from "../protocol/methods.ts";
import { isNotFound } from "./io_error.ts";
import { storeFile } from "./store_file.ts";

/**
 * `fs/copy`: a file with its mode, a symbolic link as a link, or with `recursive` a directory,
 * which is merged into one that is there. FIFOs, sockets and devices are left out of directories.
 */
export async function copy(
  { sourcePath, destinationPath, recursive }: Params<"fs/copy">,
  signal?: AbortSignal,
): Promise<ResultInput<"fs/copy">> {
  const source = sourcePath.toNativePath();
  const destination = destinationPath.toNativePath();
  const { isDirectory, isFile, isSymlink } = await Deno.lstat(source);
  if (isDirectory) {
    if (!recursive) {
      throw invalidRequest("fs/copy requires recursive: true when sourcePath is a directory");
    }
    await refuseDescent(source, destination);
    await copyDirectory(source, destination, signal);
  } else if (isSymlink) {
    await copyLink(source, destination);
  } else if (isFile) {
    await copyFile(source, destination, signal);
  } else {
    throw invalidRequest("fs/copy only supports regular files, directories, and symlinks");
  }
  return {};
}

async function copyDirectory(
  source: string,
  destination: string,
  signal?: AbortSignal,
): Promise<void> {
  await Deno.mkdir(destination, { recursive: true });
  for await (const { name, isDirectory, isFile, isSymlink } of Deno.readDir(source)) {
    signal?.throwIfAborted();
    const [from, to] = [`${source}/${name}`, `${destination}/${name}`];
    if (isDirectory) await copyDirectory(from, to, signal);
    else if (isSymlink) await copyLink(from, to);
    else if (isFile) await copyFile(from, to, signal);
  }
}

async function copyLink(source: string, destination: string): Promise<void> {
  await Deno.symlink(await Deno.readLink(source), destination);
}

async function copyFile(
  source: string,
  destination: string,
  signal?: AbortSignal,
): Promise<void> {
  // Under another name of the source there is nothing to do, and copying would empty it.
  if (await isSameFile(source, destination)) return;
  await storeFile(destination, { kind: "copy", source }, signal);
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  try {
    const [first, second] = await Promise.all([Deno.stat(a), Deno.stat(b)]);
    return first.ino !== null && first.ino === second.ino && first.dev === second.dev;
  } catch {
    return false;
  }
}

/** Copying a directory into itself would not come to an end. */
async function refuseDescent(source: string, destination: string): Promise<void> {
  const [from, to] = [await Deno.realPath(source), await realPathOfMissing(destination)];
  if (to === from || to.startsWith(from.endsWith("/") ? from : `${from}/`)) {
    throw invalidRequest("fs/copy cannot copy a directory to itself or one of its descendants");
  }
}

/** The path without symbolic links of what may not be there yet. */
async function realPathOfMissing(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch (error) {
    const parent = dirname(path);
    if (!isNotFound(error) || parent === path) throw error;
    return `${await realPathOfMissing(parent)}/${basename(path)}`;
  }
}
