import { randomUUID } from "node:crypto";
import {
  closeDescriptor,
  type Descriptor,
  readDescriptor,
  writeDescriptor,
} from "../os/descriptor.ts";
import { readableText } from "../os/os_string.ts";
import type { ResultInput } from "../protocol/methods.ts";
import { linkDescriptor, Open, openAt, pathTo, SameMount } from "../os/open_at.ts";
import { directoryEntries, EntryType } from "../os/directory_entries.ts";
import { copyExtendedAttributes } from "../os/xattr.ts";
import { type FileStatus, FileType, knownStatusOf, statusOf } from "../os/file_status.ts";
import { copyInodeFlags } from "../os/inode_flags.ts";
import { setMode, setModificationTime, setOwner } from "../os/file_content.ts";
import { renameSync, unlinkSync } from "../os/names.ts";
import type { NewAttributes } from "./attributes.ts";
import { lastError, SystemError } from "../os/errno.ts";

/** Bytes of a file that is small. */
export const SMALL_FILE_BYTES = 64 * 1024;
/** What a small file may take on the disk: some file systems reserve more than they need. */
const SMALL_STORED_BYTES = 4 * SMALL_FILE_BYTES;
/** Names in a directory that is listed in one go. */
const MAX_NAMES = 4096;
const SPECIAL_MODE_BITS = 0o7000;
const NEW_FILE_MODE = 0o666;
const PRIVATE_MODE = 0o600;

const buffer = new Uint8Array(SMALL_FILE_BYTES + 1);

/**
 * Something on a file system that waits for no one outside of the kernel, and the directory that it
 * is in: what is small is done with it directly, on the calling thread. What is not small or not
 * plain is left to others, as is every failure: all functions here give undefined then, and have
 * changed nothing.
 */
export interface LocalEntry {
  /** Held only (`O_PATH`). */
  readonly directory: Descriptor;
  /** In the directory. */
  readonly name: string;
  /** Held only. Undefined: there is nothing. */
  readonly object: Descriptor | undefined;
}

/** What has a name in a directory, if it is neither a link nor of another file system. */
export function localEntry(directory: Descriptor, name: string): LocalEntry | undefined {
  let object: Descriptor;
  try {
    object = openAt(directory, name, Open.PathOnly | Open.NoFollow);
  } catch (error) {
    const isMissing = error instanceof SystemError && error.code === "ENOENT";
    return isMissing ? { directory, name, object: undefined } : undefined;
  }
  const entry = { directory, name, object };
  if (isPlain(entry)) return entry;
  closeDescriptor(object);
}

/** Whether it is neither a link nor of another file system than its directory. */
export function isPlain({ directory, object }: LocalEntry): boolean {
  if (object === undefined) return true;
  const { type, mount } = knownStatusOf(object);
  return type !== FileType.Link && mount !== undefined && mount === knownStatusOf(directory).mount;
}

/** As `fs/getMetadata` has it. */
export function smallMetadata({ object }: LocalEntry): ResultInput<"fs/getMetadata"> | undefined {
  if (object === undefined) return undefined;
  const { type, size, bornMs, modifiedMs } = statusOf(object);
  return {
    isDirectory: type === FileType.Directory,
    isFile: type === FileType.File,
    isSymlink: false,
    size,
    createdAtMs: bornMs ?? 0,
    modifiedAtMs: modifiedMs,
  };
}

/** All of a small regular file, in base64. Those of /proc say that they are empty. */
export function smallContent({ object }: LocalEntry): string | undefined {
  if (object === undefined) return undefined;
  const { type, size } = statusOf(object);
  if (type !== FileType.File || size === 0 || size > SMALL_FILE_BYTES) return undefined;
  return withFile(object, Open.ReadOnly | Open.NonBlocking, (file) => {
    let length = 0;
    while (length < buffer.length) {
      const count = readDescriptor(file, buffer.subarray(length));
      if (count < 0) throw lastError();
      if (count === 0) return buffer.subarray(0, length).toBase64();
      length += count;
    }
    // It has grown.
    return undefined;
  });
}

/** As `fs/readDirectory` has it. */
export function smallListing(
  { object }: LocalEntry,
): ResultInput<"fs/readDirectory"> | undefined {
  if (object === undefined || statusOf(object).type !== FileType.Directory) return undefined;
  return withFile(object, Open.Directory, (directory) => {
    using mount = new SameMount(directory);
    const entries: ResultInput<"fs/readDirectory">["entries"] = [];
    for (const { name, type } of directoryEntries(directory)) {
      if (type === EntryType.Unknown || entries.length === MAX_NAMES) return undefined;
      const target = type === EntryType.Link ? linkedType(mount, name) : type;
      if (target === "elsewhere") return undefined;
      if (target === "nowhere") continue;
      entries.push({
        fileName: readableText(name),
        isDirectory: target === EntryType.Directory,
        isFile: target === EntryType.File,
      });
    }
    return { entries };
  });
}

/** What a link leads to, which is not asked of another file system. */
function linkedType(mount: SameMount, name: string): number | "nowhere" | "elsewhere" {
  let object: Descriptor;
  try {
    object = mount.hold(name);
  } catch (error) {
    const code = error instanceof SystemError ? error.code : "";
    return ["ENOENT", "ENOTDIR", "ELOOP", "EACCES"].includes(code) ? "nowhere" : "elsewhere";
  }
  try {
    const { type } = statusOf(object);
    return type === FileType.Directory
      ? EntryType.Directory
      : type === FileType.File
      ? EntryType.File
      : EntryType.Unknown;
  } finally {
    closeDescriptor(object);
  }
}

/**
 * Makes a file hold these bytes and nothing else, by giving its name to a new one.
 *
 * @param attributes what it is to have besides. @default as it was, or as any new file has
 * @returns whether it has been done
 */
export function storeSmall(
  entry: LocalEntry,
  bytes: Uint8Array<ArrayBuffer>,
  { permissions, modifiedAtMs }: NewAttributes = {},
): boolean {
  if (bytes.length > SMALL_FILE_BYTES) return false;
  const { directory, name, object } = entry;
  const old = object === undefined ? undefined : statusOf(object);
  if (old !== undefined && !isReplaceable(old)) return false;
  // Replacing a file would not find out whether it may be written.
  if (object !== undefined) withFile(object, Open.WriteOnly | Open.NonBlocking, () => {});
  const mode = old === undefined && permissions === undefined ? NEW_FILE_MODE : PRIVATE_MODE;
  const file = openAt(directory, ".", Open.WriteOnly | Open.Temporary, mode);
  try {
    if (object !== undefined && old !== undefined) passOn(object, old, file);
    writeAll(file, bytes);
    const newMode = permissions ?? old?.mode;
    if (newMode !== undefined) setMode(file, newMode);
    if (modifiedAtMs !== undefined) setModificationTime(file, modifiedAtMs);
    giveName(file, directory, name);
  } finally {
    closeDescriptor(file);
  }
  return true;
}

/** What is large takes its time to be given back, or to be made the upper layer's of an overlay. */
function isReplaceable({ type, links, mode, size, stored }: FileStatus): boolean {
  return type === FileType.File && links === 1 && (mode & SPECIAL_MODE_BITS) === 0 &&
    size <= SMALL_FILE_BYTES && stored <= SMALL_STORED_BYTES;
}

function passOn(object: Descriptor, { user, group }: FileStatus, file: Descriptor): void {
  const own = statusOf(file);
  if (own.user !== user || own.group !== group) setOwner(file, user, group);
  copyInodeFlags(pathTo(object), pathTo(file));
  copyExtendedAttributes(pathTo(object), pathTo(file));
}

function writeAll(file: Descriptor, bytes: Uint8Array<ArrayBuffer>): void {
  for (let rest = bytes; rest.length > 0;) {
    const count = writeDescriptor(file, rest);
    if (count <= 0) throw lastError();
    rest = rest.subarray(count);
  }
}

/** A file without a name cannot take another's; so it has one of its own for a moment. */
function giveName(file: Descriptor, directory: Descriptor, name: string): void {
  const at = pathTo(directory);
  const own = `${at}/.remex-${randomUUID()}.tmp`;
  linkDescriptor(file, own);
  try {
    renameSync(own, `${at}/${name}`);
  } catch (error) {
    unlinkSync(own);
    throw error;
  }
}

/** @param object held only */
function withFile<T>(object: Descriptor, flags: number, use: (file: Descriptor) => T): T {
  const file = openAt(-1, pathTo(object), flags);
  try {
    return use(file);
  } finally {
    closeDescriptor(file);
  }
}
