import { copyInodeFlags } from "../os/inode_flags.ts";
import { copyExtendedAttributes } from "../os/xattr.ts";
import { decodeBase64 } from "../protocol/schema_parts.ts";
import { applyAttributes, type NewAttributes } from "./attributes.ts";
import { copyContent } from "./copy_content.ts";
import { DeferredClose, EarlyWriteback } from "./background_io.ts";
import { InOrder } from "./in_order.ts";
import { systemErrorCode } from "./io_error.ts";
import type { Destination } from "./paths.ts";
import { readFully, writeBase64, writeFully, writeOn } from "./transfer.ts";
import { NEW_FILE_MODE, TempFile } from "./temp_file.ts";
import { constants, type Stats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "@std/path";

/** What a file is to hold. */
export type FileContent =
  | { readonly kind: "base64"; readonly text: string }
  /** That of the file at a path, whose mode comes along. */
  | { readonly kind: "copy"; readonly source: string }
  | StagedContent;

/** What was written to a file of its own before. */
export interface StagedContent {
  readonly kind: "staged";
  /** Leads to that file. */
  readonly source: string;
  /** Whether it has no name and can be given one. Linux only. */
  readonly linkable: boolean;
}

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
 * no new entry or whose owner cannot be kept, one that is mounted by itself.
 *
 * Nothing waits for the disk: whether a loss of power leaves the old content or the new one is up to
 * the file system, of which ext4 and btrfs keep the order of data and rename.
 *
 * @param attributes what it is to have besides. @default as it was, or as any new file has
 * @throws {RpcError} -32600 if there is a FIFO, a socket or a device
 * @throws {SyntaxError} if the content is not base64; the file is then as it was
 * @throws the system's error; bytes that do not fit on the disk leave the old content as it was,
 * also in place
 */
export async function atomicWrite(
  destination: Destination,
  content: FileContent,
  signal?: AbortSignal,
  attributes: NewAttributes = {},
): Promise<void> {
  using replaced = new DeferredClose();
  // Replacing a file would not find out whether it may be written.
  await using file = await destination.open();
  if (file === undefined) return await createFile(destination, content, signal, attributes);
  const old = await file.stat();
  if (isReplaceable(old)) {
    const name = await destination.nameOf(old);
    if (name !== undefined && old.size >= SLOWLY_FREED_BYTES) replaced.hold(name);
    if (
      name !== undefined &&
      await replaceFile(destination, { name, old, content, attributes }, signal)
    ) return;
  }
  await inPlace.run(`${old.dev}:${old.ino}`, async () => {
    await writeInPlace(file, destination, content, signal);
    if (destination.file !== undefined) await applyAttributes(destination.file, attributes);
  });
}

/**
 * Writes in place by the device and inode of the file, since it can have several names: two of one file
 * at the same time would leave parts of both. Each thread has its own; what a command writes, or
 * another executor, waits for none of them.
 */
const inPlace = new InOrder();

async function writeInPlace(
  file: FileHandle,
  destination: Destination,
  content: FileContent,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (content.kind === "copy") return await copyInPlace(content.source, destination, signal);
  if (content.kind === "staged") {
    await using source = await open(content.source, constants.O_RDONLY);
    return await overwriteFile(file, new StoredBytes(source, (await source.stat()).size));
  }
  const bytes = decodeBase64(content.text);
  if (bytes === undefined) throw new SyntaxError("not standard base64");
  await overwriteFile(file, new GivenBytes(bytes));
}

function isReplaceable(file: Stats): boolean {
  return file.nlink === 1 && (file.mode & SPECIAL_MODE_BITS) === 0;
}

async function createFile(
  destination: Destination,
  content: FileContent,
  signal: AbortSignal | undefined,
  attributes: NewAttributes,
): Promise<void> {
  const name = await destination.newName();
  await using temp = await createTempFile(destination, name, content, attributes);
  if (temp !== undefined) {
    await fill(temp, content, signal);
    await applyAttributes(temp.path, attributes);
    return await temp.moveTo(name);
  }
  // What keeps a file from being created beside the name mostly does so at the name, too, and then
  // the system says it best. If not, the content at least does not stay there half.
  await using file = await destination.create(name, NEW_FILE_MODE);
  await fill(file, content, signal);
  await applyAttributes(file.path, attributes);
  file.keep();
}

/** What is to become of the file that has a name. */
interface Replacement {
  readonly name: string;
  readonly old: Stats;
  readonly content: FileContent;
  readonly attributes: NewAttributes;
}

/** Returns false, leaving no trace, if the file has to be written in place. */
async function replaceFile(
  destination: Destination,
  { name, old, content, attributes }: Replacement,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  await using temp = await createTempFile(destination, name, content, attributes, old);
  if (temp === undefined) return false;
  {
    await using writeback = new EarlyWriteback(temp.path);
    await fill(temp, content, signal, () => writeback.begin());
  }
  await applyAttributes(temp.path, attributes);
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
  if (content.kind === "staged") {
    if (!temp.adopted) await copyStaged(content.source, temp, signal);
    return;
  }
  await writeBase64(temp.file, content.text, written);
}

/**
 * Makes an open regular file hold these bytes and nothing else, in place.
 *
 * What goes past its end is written first: that is what a full disk or a quota refuses, and then
 * the file gets its old length back and nothing has been lost.
 */
async function overwriteFile(file: FileHandle, bytes: SizedBytes): Promise<void> {
  const { size } = await file.stat();
  if (bytes.length > size) {
    try {
      await bytes.writeTo(file, size, bytes.length);
    } catch (error) {
      await file.truncate(size);
      throw error;
    }
  }
  await bytes.writeTo(file, 0, Math.min(size, bytes.length));
  if (bytes.length < size) await file.truncate(bytes.length);
}

/** Bytes of which any part can be written to the same place of a file. */
interface SizedBytes {
  readonly length: number;
  writeTo(file: FileHandle, from: number, end: number): Promise<void>;
}

class GivenBytes implements SizedBytes {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get length(): number {
    return this.#bytes.length;
  }

  async writeTo(file: FileHandle, from: number, end: number): Promise<void> {
    await writeFully(file, this.#bytes.subarray(from, end), from);
  }
}

/** Those of a file. */
class StoredBytes implements SizedBytes {
  readonly length: number;
  readonly #source: FileHandle;

  constructor(source: FileHandle, length: number) {
    this.#source = source;
    this.length = length;
  }

  async writeTo(file: FileHandle, from: number, end: number): Promise<void> {
    const buffer = new Uint8Array(Math.min(STAGED_PIECE_BYTES, end - from));
    for (let at = from; at < end;) {
      const piece = buffer.subarray(0, Math.min(buffer.length, end - at));
      const count = await readFully(this.#source, piece, at);
      if (count === 0) return;
      await writeFully(file, piece.subarray(0, count), at);
      at += count;
    }
  }
}

/** Bytes of a staged file that are copied at a time. */
const STAGED_PIECE_BYTES = 1024 * 1024;

/** Copies the bytes alone, and none of what else there is to a file. */
async function copyStaged(
  path: string,
  temp: TempFile,
  signal: AbortSignal | undefined,
): Promise<void> {
  await using source = await open(path, constants.O_RDONLY);
  const buffer = new Uint8Array(STAGED_PIECE_BYTES);
  for (let at = 0;;) {
    signal?.throwIfAborted();
    const count = await readFully(source, buffer, at);
    if (count === 0) return;
    await writeOn(temp.file, buffer.subarray(0, count));
    at += count;
  }
}

/** Nobody else may read what is to replace a private file, not even until it has its mode. */
const PRIVATE_MODE = 0o600;

/**
 * Creates the empty file that is to take a name over, in the same directory: without a name where
 * that can be had, so that nothing is left of it if the executor is killed.
 *
 * What was staged without a name becomes that file itself.
 *
 * @param old the file that has the name now, if one has it: its owner, mode, access control list
 * and extended attributes are passed on
 * @returns undefined, leaving no trace, if that cannot be done
 */
async function createTempFile(
  destination: Destination,
  name: string,
  content: FileContent,
  { permissions }: NewAttributes,
  old?: Stats,
): Promise<TempFile | undefined> {
  // Not normalized: `..` behind a link leads elsewhere than the text tells.
  const path = `${dirname(name)}/.remex-${crypto.randomUUID()}.tmp`;
  const mode = old === undefined && permissions === undefined ? NEW_FILE_MODE : PRIVATE_MODE;
  const staged = content.kind === "staged" && content.linkable;
  const temp =
    await (staged ? TempFile.adopt(path, content.source) : destination.createNameless(path, mode))
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
