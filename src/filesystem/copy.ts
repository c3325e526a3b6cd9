import { basename, dirname } from "@std/path";
import { invalidRequest } from "../protocol/errors.ts";
import type { Params, ResultInput } from "../protocol/methods.ts";
import { isNotFound, systemErrorCode } from "./io_error.ts";
import { hostPath } from "./named.ts";
import type { Destination, Paths, Place } from "./paths.ts";
import { atomicWrite } from "./atomic_write.ts";

/** What chmod(2) sets. */
const MODE_BITS = 0o7777;
/** What it takes to fill a directory. */
const OWNER_BITS = 0o700;

/**
 * `fs/copy`: a file with its mode, a symbolic link as a link, or with `recursive` a directory with
 * its mode, which is merged into one that is there. Holes of sparse files stay holes. FIFOs, sockets and devices are left out of directories.
 */
export async function copy(
  { sourcePath, destinationPath, recursive }: Params<"fs/copy">,
  signal: AbortSignal | undefined,
  paths: Paths,
): Promise<ResultInput<"fs/copy">> {
  using source = paths.entry(hostPath(sourcePath), "read");
  const destination = hostPath(destinationPath);
  const { isDirectory, isFile, isSymlink, mode } = await source.stat();
  if (isDirectory) {
    if (!recursive) {
      throw invalidRequest("fs/copy requires recursive: true when sourcePath is a directory");
    }
    const real = await realPathOfMissing(destination, paths);
    refuseDescent(await paths.canonical(source.name), real);
    await paths.approveCopy(source, real, signal);
    await copyDirectory(source, mode, destination, paths, signal);
  } else if (isSymlink) {
    await copyLink(source, destination, paths);
  } else if (isFile) {
    await copyFile(source, destination, paths, signal);
  } else {
    throw invalidRequest("fs/copy only supports regular files, directories, and symlinks");
  }
  return {};
}

async function copyDirectory(
  source: Place,
  mode: number | null,
  destination: string,
  paths: Paths,
  signal?: AbortSignal,
): Promise<void> {
  const isNew = await ensureDirectory(destination, paths);
  // Nobody looks in meanwhile who may not look in later.
  if (isNew) await setMode(destination, mode, OWNER_BITS, paths);
  for await (const { name } of source.entries()) {
    signal?.throwIfAborted();
    using from = source.child(name);
    const to = `${destination}/${name}`;
    const { isDirectory, isFile, isSymlink, mode } = await from.stat();
    if (isDirectory) await copyDirectory(from, mode, to, paths, signal);
    else if (isSymlink) await copyLink(from, to, paths);
    else if (isFile) await copyFile(from, to, paths, signal);
  }
  if (isNew) await setMode(destination, mode, 0, paths);
}

/** Returns whether it was not there. */
async function ensureDirectory(path: string, paths: Paths): Promise<boolean> {
  try {
    await paths.makeDirectory(path, false);
    return true;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === undefined) throw error;
    await paths.makeDirectory(path, true);
    return code === "ENOENT";
  }
}

/** @param more permissions that it gets besides */
async function setMode(
  directory: string,
  mode: number | null,
  more: number,
  paths: Paths,
): Promise<void> {
  if (mode === null || Deno.build.os === "windows") return;
  using place = paths.entry(directory, "write");
  await Deno.chmod(place.path, mode & MODE_BITS | more);
}

async function copyLink(source: Place, destination: string, paths: Paths): Promise<void> {
  await paths.makeLink(await source.readLink(), destination);
}

async function copyFile(
  source: Place,
  destination: string,
  paths: Paths,
  signal?: AbortSignal,
): Promise<void> {
  using target = paths.destination(destination);
  // Under another name of the source there is nothing to do, and copying would empty it.
  if (await isSameFile(source, target)) return;
  await atomicWrite(target, { kind: "copy", source: source.path }, signal);
}

async function isSameFile(source: Place, { file }: Destination): Promise<boolean> {
  if (file === undefined) return false;
  try {
    const [first, second] = await Promise.all([Deno.stat(source.path), Deno.stat(file)]);
    return first.ino !== null && first.ino === second.ino && first.dev === second.dev;
  } catch {
    return false;
  }
}

/** Copying a directory into itself would not come to an end. */
function refuseDescent(from: string, to: string): void {
  if (to === from || to.startsWith(from.endsWith("/") ? from : `${from}/`)) {
    throw invalidRequest("fs/copy cannot copy a directory to itself or one of its descendants");
  }
}

/** The path without symbolic links of what may not be there yet. */
async function realPathOfMissing(path: string, paths: Paths): Promise<string> {
  try {
    return await paths.canonical(path);
  } catch (error) {
    const parent = dirname(path);
    if (!isNotFound(error) || parent === path) throw error;
    return `${await realPathOfMissing(parent, paths)}/${basename(path)}`;
  }
}
