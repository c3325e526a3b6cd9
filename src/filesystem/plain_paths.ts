import { danglingTarget, nameOf } from "./link_target.ts";
import { openForWriting } from "./open.ts";
import type { Destination, Paths, Place } from "./paths.ts";
import { UnfinishedFile } from "./unfinished_file.ts";

/** Leaves it all to the system: whatever this process may do may be done. */
export const plainPaths: Paths = {
  object: (path) => place(path, () => Deno.stat(path)),
  entry,
  canonical: (path) => Deno.realPath(path),
  destination,
  makeDirectory: (path, recursive) => Deno.mkdir(path, { recursive }),
  makeLink: (target, path) => Deno.symlink(target, path),
  remove: (path, recursive) => Deno.remove(path, { recursive }),
  approveCopy: () => Promise.resolve(),
};

function entry(path: string): Place {
  return place(path, () => Deno.lstat(path));
}

function place(path: string, stat: Place["stat"]): Place {
  return {
    path,
    name: path,
    stat,
    readLink: () => Deno.readLink(path),
    entries: () => Deno.readDir(path),
    child: (name) => entry(`${path}/${name}`),
    [Symbol.dispose]() {},
  };
}

function destination(path: string): Destination {
  return {
    file: path,
    open: (signal) => openForWriting(path, signal),
    newName: () => danglingTarget(path),
    nameOf: (file) => nameOf(path, file),
    create: (path, mode) => UnfinishedFile.create(path, mode),
    [Symbol.dispose]() {},
  };
}
