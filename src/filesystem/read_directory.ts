import type { Params, ResultInput } from "../protocol/methods.ts";

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
): Promise<ResultInput<"fs/readDirectory">> {
  const entries = await listDirectory(path.toNativePath());
  return {
    entries: entries.map(({ name, isDirectory, isFile }) => ({
      fileName: name,
      isDirectory,
      isFile,
    })),
  };
}

/**
 * Lists a directory. Symbolic links that lead nowhere are left out, and names that are not UTF-8
 * are, too: the runtime does not tell them.
 */
export async function listDirectory(directory: string): Promise<DirectoryEntry[]> {
  const entries: DirectoryEntry[] = [];
  for await (const entry of Deno.readDir(directory)) {
    if (!entry.isSymlink) {
      entries.push(entry);
      continue;
    }
    const target = await Deno.stat(`${directory}/${entry.name}`).catch(() => undefined);
    if (target === undefined) continue;
    const { isDirectory, isFile } = target;
    entries.push({ name: entry.name, isDirectory, isFile, isSymlink: true });
  }
  return entries;
}
