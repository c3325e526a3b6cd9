import { closeDescriptor } from "../os/descriptor.ts";
import { statusOf } from "../os/file_status.ts";
import { Open, openAt, pathTo } from "../os/open_at.ts";
import { isLocal, waitForFileSystems } from "../os/local_file_systems.ts";
import { systemErrorCode } from "./io_error.ts";
import { listEntries, makeDirectory, makeLink, readLink, realPath, remove } from "./named.ts";
import { openForWriting } from "./open.ts";
import type { Destination, Paths, Place } from "./paths.ts";
import { TempFile } from "./temp_file.ts";
import type { Stats } from "node:fs";
import { lstat } from "node:fs/promises";
import { dirname, isAbsolute } from "@std/path";

/** Leaves it all to the system: whatever this process may do may be done. */
export const plainPaths: Paths = {
  object,
  entry,
  canonical: realPath,
  destination,
  makeDirectory: async (path, recursive) => {
    if (path.isWellFormed()) await Deno.mkdir(path, { recursive });
    else if (recursive) await makeDirectories(path);
    else await makeDirectory(path);
  },
  makeLink,
  remove,
  approveCopy: () => Promise.resolve(),
};

function object(path: string): Place {
  return path.isWellFormed() ? place(path, () => Deno.stat(path)) : heldPlace(path, true);
}

function entry(path: string): Place {
  return path.isWellFormed() ? place(path, () => Deno.lstat(path)) : heldPlace(path, false);
}

function place(path: string, stat: Place["stat"]): Place {
  return {
    path,
    name: path,
    stat,
    readLink: () => readLink(path),
    entries: () => listEntries(path),
    child: (name) => entry(`${path}/${name}`),
    [Symbol.dispose]() {},
  };
}

/** What the runtime cannot spell the name of is reached by a descriptor. */
function heldPlace(name: string, follows: boolean): Place {
  const descriptor = openAt(-1, name, Open.PathOnly | (follows ? 0 : Open.NoFollow));
  const path = pathTo(descriptor);
  return {
    // That of a link leads to the link.
    ...place(path, () => Deno.stat(path)),
    name,
    readLink: () => readLink(name),
    [Symbol.dispose]: () => closeDescriptor(descriptor),
  };
}

function destination(path: string): Destination {
  const held = path.isWellFormed() ? undefined : heldIfThere(path);
  const file = held?.path ?? (path.isWellFormed() ? path : undefined);
  return {
    file,
    open: async (signal) => {
      if (file === undefined) return undefined;
      // The runtime opens it on the thread that asks, and so for all clients.
      await waitForFileSystems([path]);
      return await openForWriting(file, signal);
    },
    newName: () => danglingTarget(path),
    nameOf: (stats) => nameOf(path, stats),
    create: (beside, mode) => TempFile.create(beside, mode),
    createNameless: async (beside, mode) => {
      const known = Deno.build.os === "linux" && await isLocal(dirname(beside));
      if (!known) throw new Deno.errors.NotSupported("no files without a name");
      return await TempFile.createNameless(beside, mode);
    },
    [Symbol.dispose]() {
      held?.[Symbol.dispose]();
    },
  };
}

function heldIfThere(path: string): Place | undefined {
  try {
    return heldPlace(path, true);
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function makeDirectories(path: string): Promise<void> {
  try {
    return await makeDirectory(path);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "EEXIST") {
      using there = object(path);
      if ((await there.stat()).isDirectory) return;
    }
    if (code !== "ENOENT") throw error;
  }
  await plainPaths.makeDirectory(dirname(path), true);
  await makeDirectory(path);
}

/** So many links the kernel follows at the most (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * Where the file is to be that a path without one leads to: the path itself, or the end of the
 * links that dangle there.
 */
async function danglingTarget(path: string): Promise<string> {
  let target = path;
  for (let links = 0; links < MAX_LINKS; links++) {
    const link = await readLink(target).catch(() => undefined);
    if (link === undefined) break;
    // Not normalized: `..` behind another link leads elsewhere than the text tells.
    target = isAbsolute(link) ? link : `${dirname(target)}/${link}`;
  }
  return target;
}

/**
 * The name, free of links, of the file that a path leads to, or undefined if it has none: one that
 * was deleted while open is still reached through /proc/self/fd.
 */
export async function nameOf(path: string, file: Stats): Promise<string | undefined> {
  try {
    const name = await realPath(path);
    return await leadsTo(name, file) ? name : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a name is a file's, a link not followed. */
export async function leadsTo(name: string, file: Stats): Promise<boolean> {
  if (name.isWellFormed()) {
    const named = await lstat(name);
    return named.dev === file.dev && named.ino === file.ino;
  }
  const held = openAt(-1, name, Open.PathOnly | Open.NoFollow);
  try {
    const { inode, device } = statusOf(held);
    return device === file.dev && inode === BigInt(file.ino);
  } finally {
    closeDescriptor(held);
  }
}
