import { dirname } from "node:path";
import { isLocal, untilAnswered } from "../native/until_answered.ts";
import { closeDescriptor } from "../native/descriptor.ts";
import { danglingTarget, nameOf } from "./link_target.ts";
import { Open, openAt, pathTo } from "./linux/descriptors.ts";
import { listEntries, makeDirectory, makeLink, readLink, realPath, remove } from "./named.ts";
import { openForWriting } from "./open.ts";
import type { Destination, Paths, Place } from "./paths.ts";
import { systemErrorCode } from "./io_error.ts";
import { UnfinishedFile } from "./unfinished_file.ts";

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
      await untilAnswered([path]);
      return await openForWriting(file, signal);
    },
    newName: () => danglingTarget(path),
    nameOf: (stats) => nameOf(path, stats),
    create: (beside, mode) => UnfinishedFile.create(beside, mode),
    createNameless: async (beside, mode) => {
      const known = Deno.build.os === "linux" && await isLocal(dirname(beside));
      if (!known) throw new Deno.errors.NotSupported("no files without a name");
      return await UnfinishedFile.createNameless(beside, mode);
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
