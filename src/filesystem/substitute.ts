import type { Stats } from "node:fs";
import { dirname } from "node:path";
import { systemErrorCode } from "./io_error.ts";
import { copyExtendedAttributes } from "./linux/extended_attributes.ts";
import { copyInodeFlags } from "./linux/inode_flags.ts";
import type { Destination } from "./paths.ts";
import { NEW_FILE_MODE, type UnfinishedFile } from "./unfinished_file.ts";

/** Nobody else may read what is to replace a private file, not even until it has its mode. */
const PRIVATE_MODE = 0o600;

/**
 * Creates the empty file that is to take a name over, in the same directory: without a name where
 * that can be had, so that nothing is left of it if the executor is killed.
 *
 * @param old the file that has the name now, if one has it: its owner, mode, access control list
 * and extended attributes are passed on
 * @returns undefined, leaving no trace, if that cannot be done
 */
export async function createSubstitute(
  destination: Destination,
  name: string,
  old?: Stats,
): Promise<UnfinishedFile | undefined> {
  // Not normalized: `..` behind a link leads elsewhere than the text tells.
  const path = `${dirname(name)}/.remex-${crypto.randomUUID()}.tmp`;
  const mode = old === undefined ? NEW_FILE_MODE : PRIVATE_MODE;
  const substitute = await destination.createNameless(path, mode)
    .catch(() => destination.create(path, mode))
    .catch(refuseLackOfDescriptors);
  if (substitute === undefined || old === undefined) return substitute;
  try {
    await passOn(destination.file ?? name, old, substitute);
    return substitute;
  } catch {
    await substitute[Symbol.asyncDispose]();
    return undefined;
  }
}

/** What lacks descriptors is tried again as a whole; all else is done in place, if it can be. */
function refuseLackOfDescriptors(error: unknown): undefined {
  if (systemErrorCode(error) === "EMFILE") throw error;
}

/** @throws if the substitute would differ from the old file in more than its content */
async function passOn(path: string, old: Stats, substitute: UnfinishedFile): Promise<void> {
  if (Deno.build.os === "windows") return;
  const { uid, gid } = await substitute.file.stat();
  if (uid !== old.uid || gid !== old.gid) await Deno.chown(substitute.path, old.uid, old.gid);
  if (Deno.build.os === "linux") {
    copyInodeFlags(path, substitute.path);
    copyExtendedAttributes(path, substitute.path);
  }
  await Deno.chmod(substitute.path, old.mode & 0o777);
}
