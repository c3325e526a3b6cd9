import type { Stats } from "node:fs";
import { lstat } from "node:fs/promises";
import { dirname, isAbsolute } from "node:path";
import { closeDescriptor } from "../native/descriptor.ts";
import { Open, openAt } from "./linux/descriptors.ts";
import { statusOf } from "./linux/file_status.ts";
import { readLink, realPath } from "./named.ts";

/** So many links the kernel follows at the most (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * Where the file is to be that a path without one leads to: the path itself, or the end of the
 * links that dangle there.
 */
export async function danglingTarget(path: string): Promise<string> {
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
