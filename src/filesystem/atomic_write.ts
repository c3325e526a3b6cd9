import { copyInodeFlags } from "../os/inode_flags.ts";
import { copyExtendedAttributes } from "../os/xattr.ts";
import { decodeBase64 } from "../protocol/schema_parts.ts";
import { copyContent } from "./copy_content.ts";
import { DeferredClose, EarlyWriteback } from "./background_io.ts";
import { systemErrorCode } from "./io_error.ts";
import type { Destination } from "./paths.ts";
import { writeBase64, writeFully, writePatiently } from "./transfer.ts";
import { NEW_FILE_MODE, type TempFile } from "./temp_file.ts";
import type { Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "@std/path";

/** What a file is to hold. */
export type FileContent =
  | { readonly kind: "base64"; readonly text: string }
  /** That of the file at a path, whose mode comes along. */
  | { readonly kind: "copy"; readonly source: string };

/** From so many bytes on it pays to have a file's room freed while others are served. */
const SLOWLY_FREED_BYTES = 1024 * 1024;

/** Set-user-ID, set-group-ID and sticky: whether they outlast a write is the kernel's matter. */
const SPECIAL_MODE_BITS = 0o7000;

/**
 * Makes the file at a destination hold this content, and creates it if there is none.
 *
 * A regular file is written beside its name and then takes the name over in one step, so that a
 * reader, or whoever comes after a crash, finds the old content or the new one. It keeps owner,
 * mode, access control list and extended attributes, and a symbolic link stays one. What cannot be
 * replaced without a loss is written in place: a file with several names, one whose directory takes
 * no new entry or whose owner cannot be kept, one that is mounted by itself, a device, a FIFO.
 *
 * Nothing waits for the disk: whether a loss of power leaves the old content or the new one is up to
 * the file system, of which ext4 and btrfs keep the order of data and rename.
 *
 * @throws {SyntaxError} if the content is not base64; the file is then as it was
 * @throws the system's error; bytes that do not fit on the disk leave the old content as it was,
 * also in place
 */
export async function atomicWrite(
  destination: Destination,
  content: FileContent,
  signal?: AbortSignal,
): Promise<void> {
  using replaced = new DeferredClose();
  // Replacing a file would not find out whether it may be written.
  await using file = await destination.open(signal);
  if (file === undefined) return await createFile(destination, content, signal);
  const old = await file.stat();
  if (isReplaceable(old)) {
    const name = await destination.nameOf(old);
    if (name !== undefined && old.size >= SLOWLY_FREED_BYTES) replaced.hold(name);
    if (name !== undefined && await replaceFile(destination, name, old, content, signal)) {
      return;
    }
  }
  if (content.kind === "copy") return await copyInPlace(content.source, destination, signal);
  const bytes = decodeBase64(content.text);
  if (bytes === undefined) throw new SyntaxError("not standard base64");
  if (old.isFile()) await overwriteFile(file, bytes);
  else await writePatiently(file, bytes, signal);
}

function isReplaceable(file: Stats): boolean {
  return file.isFile() && file.nlink === 1 && (file.mode & SPECIAL_MODE_BITS) === 0;
}

async function createFile(
  destination: Destination,
  content: FileContent,
  signal: AbortSignal | undefined,
): Promise<void> {
  const name = await destination.newName();
  await using temp = await createTempFile(destination, name);
  if (temp !== undefined) {
    await fill(temp, content, signal);
    return await temp.moveTo(name);
  }
  // What keeps a file from being created beside the name mostly does so at the name, too, and then
  // the system says it best. If not, the content at least does not stay there half.
  await using file = await destination.create(name, NEW_FILE_MODE);
  await fill(file, content, signal);
  file.keep();
}

/** Returns false, leaving no trace, if the file has to be written in place. */
async function replaceFile(
  destination: Destination,
  name: string,
  old: Stats,
  content: FileContent,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  await using temp = await createTempFile(destination, name, old);
  if (temp === undefined) return false;
  {
    await using writeback = new EarlyWriteback(temp.path);
    await fill(temp, content, signal, () => writeback.begin());
  }
  try {
    await temp.moveTo(name);
    return true;
  } catch {
    // A mount point, or someone else's file in a directory with the sticky bit.
    return false;
  }
}

async function copyInPlace(
  source: string,
  { file }: Destination,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (file !== undefined) await copyContent(source, file, signal);
}

async function fill(
  temp: TempFile,
  content: FileContent,
  signal: AbortSignal | undefined,
  written?: () => void,
): Promise<void> {
  if (content.kind === "copy") return await copyContent(content.source, temp.path, signal);
  await writeBase64(temp.file, content.text, written);
}

/**
 * Makes an open regular file hold these bytes and nothing else, in place.
 *
 * What goes past its end is written first: that is what a full disk or a quota refuses, and then
 * the file gets its old length back and nothing has been lost.
 */
async function overwriteFile(file: FileHandle, bytes: Uint8Array): Promise<void> {
  const { size } = await file.stat();
  if (bytes.length > size) {
    try {
      await writeFully(file, bytes.subarray(size), size);
    } catch (error) {
      await file.truncate(size);
      throw error;
    }
  }
  await writeFully(file, bytes.subarray(0, size), 0);
  if (bytes.length < size) await file.truncate(bytes.length);
}

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
async function createTempFile(
  destination: Destination,
  name: string,
  old?: Stats,
): Promise<TempFile | undefined> {
  // Not normalized: `..` behind a link leads elsewhere than the text tells.
  const path = `${dirname(name)}/.remex-${crypto.randomUUID()}.tmp`;
  const mode = old === undefined ? NEW_FILE_MODE : PRIVATE_MODE;
  const temp = await destination.createNameless(path, mode)
    .catch(() => destination.create(path, mode))
    .catch(refuseLackOfDescriptors);
  if (temp === undefined || old === undefined) return temp;
  try {
    await passOn(destination.file ?? name, old, temp);
    return temp;
  } catch {
    await temp[Symbol.asyncDispose]();
    return undefined;
  }
}

/** What lacks descriptors is tried again as a whole; all else is done in place, if it can be. */
function refuseLackOfDescriptors(error: unknown): undefined {
  if (systemErrorCode(error) === "EMFILE") throw error;
}

/** @throws if the temp would differ from the old file in more than its content */
async function passOn(path: string, old: Stats, temp: TempFile): Promise<void> {
  if (Deno.build.os === "windows") return;
  const { uid, gid } = await temp.file.stat();
  if (uid !== old.uid || gid !== old.gid) await Deno.chown(temp.path, old.uid, old.gid);
  if (Deno.build.os === "linux") {
    copyInodeFlags(path, temp.path);
    copyExtendedAttributes(path, temp.path);
  }
  await Deno.chmod(temp.path, old.mode & 0o777);
}
