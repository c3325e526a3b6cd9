import { createHash } from "node:crypto";
import { basename, dirname } from "@std/path";
import { closeDescriptor, type Descriptor } from "../os/descriptor.ts";
import { FileType, statusOf } from "../os/file_status.ts";
import { Open, openAt } from "../os/open_at.ts";
import { encodeOsString } from "../os/os_string.ts";
import { systemErrorCode } from "./io_error.ts";
import { listEntries, remove } from "./named.ts";

// Of what is written in several goes, each of which may break off, there has to be a file with a name
// in between. It is beside the file that it is to become, its name tells for which file and from which
// content it is, and nobody else may read it.

/** The name of an unfinished file. */
export interface PartialName {
  readonly path: string;
  /** What the names of all unfinished files for the same file begin with. */
  readonly prefix: string;
}

const PRIVATE_MODE = 0o600;
const OTHERS_BITS = 0o077;
const SUFFIX = ".part";

/**
 * The name of the unfinished file.
 *
 * @param name of the file that it is to become
 * @param key names the content
 */
export function partialName(name: string, key: string): PartialName {
  const prefix = `.remex-${digest(encodeOsString(basename(name)))}-`;
  const own = `${prefix}${digest(new TextEncoder().encode(key))}${SUFFIX}`;
  // Not normalized: `..` behind a link leads elsewhere than the text tells.
  return { path: `${dirname(name)}/${own}`, prefix };
}

/** Opens an unfinished file that is there. What somebody else may have put there is removed. */
export async function existingPartial({ path }: PartialName): Promise<Descriptor | undefined> {
  let file: Descriptor;
  try {
    file = openAt(-1, path, Open.ReadWrite | Open.NoFollow | Open.NonBlocking);
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    await remove(path, false);
    return undefined;
  }
  const { type, links, user, mode } = statusOf(file);
  const own = type === FileType.File && links === 1 && user === Deno.uid();
  if (own && (mode & OTHERS_BITS) === 0) return file;
  closeDescriptor(file);
  await remove(path, false);
  return undefined;
}

/** Creates an unfinished file, and removes those of other contents for the same file. */
export async function newPartial({ path, prefix }: PartialName): Promise<Descriptor> {
  const flags = Open.ReadWrite | Open.Create | Open.Exclusive | Open.NoFollow;
  const file = openAt(-1, path, flags, PRIVATE_MODE);
  const directory = dirname(path);
  try {
    for await (const { name } of listEntries(directory)) {
      const stale = name.startsWith(prefix) && name.endsWith(SUFFIX) && name !== basename(path);
      if (stale) await remove(`${directory}/${name}`, false);
    }
  } catch {
    // A directory that may not be read, or another's file: they stay.
  }
  return file;
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}
