import { readableText } from "../os/os_string.ts";
import type { Params, ResultInput } from "../protocol/methods.ts";
import { hostPath } from "./named.ts";
import type { Paths, Place } from "./paths.ts";

/** What a directory lists: a name, and what it leads to. */
export interface DirectoryEntry {
  readonly name: string;
  readonly isDirectory: boolean;
  readonly isFile: boolean;
  /** Of the entry itself; the others describe its target. */
  readonly isSymlink: boolean;
}

/** `fs/readDirectory`: what is directly in a directory, in the system's order. */
export async function readDirectory(
  { path }: Params<"fs/readDirectory">,
  _signal: AbortSignal | undefined,
  paths: Paths,
): Promise<ResultInput<"fs/readDirectory">> {
  using directory = paths.object(hostPath(path), "read");
  const entries = await listDirectory(directory, paths);
  return {
    entries: entries.map(({ name, isDirectory, isFile }) => ({
      fileName: readableText(name),
      isDirectory,
      isFile,
    })),
  };
}

/** Links that are followed at the same time. */
const LINKS_AT_ONCE = 16;

/**
 * Lists a directory. Symbolic links that lead nowhere are left out.
 */
export async function listDirectory(directory: Place, paths: Paths): Promise<DirectoryEntry[]> {
  const entries: DirectoryEntry[] = [];
  let waiting: Promise<DirectoryEntry | undefined>[] = [];
  const settle = async () => {
    for (const entry of await Promise.all(waiting)) if (entry !== undefined) entries.push(entry);
    waiting = [];
  };
  let links = 0;
  for await (const entry of directory.entries()) {
    waiting.push(entry.isSymlink ? follow(entry, directory, paths) : Promise.resolve(entry));
    if (entry.isSymlink && ++links % LINKS_AT_ONCE === 0) await settle();
  }
  await settle();
  return entries;
}

async function follow(
  { name }: DirectoryEntry,
  directory: Place,
  paths: Paths,
): Promise<DirectoryEntry | undefined> {
  const target = await statTarget(`${directory.name}/${name}`, paths);
  if (target === undefined) return undefined;
  const { isDirectory, isFile } = target;
  return { name, isDirectory, isFile, isSymlink: true };
}

async function statTarget(link: string, paths: Paths): Promise<Deno.FileInfo | undefined> {
  try {
    using target = paths.object(link, "look");
    return await target.stat();
  } catch {
    return undefined;
  }
}
