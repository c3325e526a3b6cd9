import { SYS_GETDENTS64 } from "./constants.ts";
import { closeDescriptor, type Descriptor } from "./descriptor.ts";
import { decodeOsString, readableText } from "./os_string.ts";
import { lastError } from "./errno.ts";
import { libraryTable } from "./libc.ts";
import { Open, openAt } from "./open_at.ts";
import { FileType, statusAt } from "./file_status.ts";

const libc = libraryTable({
  getdents64: { name: "syscall", parameters: ["i64", "i64", "buffer", "u64"], result: "i64" },
});

/** About a thousand names. */
const BUFFER_BYTES = 32 * 1024;
/** Where the parts of `struct linux_dirent64` are (getdents(2)). */
const LENGTH_OFFSET = 16;
const TYPE_OFFSET = 18;
const NAME_OFFSET = 19;
const DOT = 0x2e;

/** Types of what is in a directory, where its file system tells them (readdir(3)). */
export const EntryType = { Unknown: 0, Directory: 4, File: 8, Link: 10 } as const;

/** Something in a directory. */
export interface NamedEntry {
  /** As `decodeOsString` has it: also one that is not UTF-8. */
  readonly name: string;
  /** See {@linkcode EntryType}; there are others. */
  readonly type: number;
}

const buffer = new Uint8Array(BUFFER_BYTES);
const view = new DataView(buffer.buffer);
const decoder = new TextDecoder();

/**
 * What is in a directory, in the system's order, but `.` and `..`.
 *
 * @param directory open for reading, at its beginning
 * @throws {SystemError}
 */
export function* directoryEntries(directory: Descriptor): Generator<NamedEntry, void> {
  const size = BigInt(buffer.length);
  for (;;) {
    const count = Number(libc().getdents64(SYS_GETDENTS64, BigInt(directory), buffer, size));
    if (count < 0) throw lastError();
    if (count === 0) return;
    // All of them, as another listing may use the buffer before the next is asked for.
    yield* entriesIn(count);
  }
}

function entriesIn(count: number): NamedEntry[] {
  const entries: NamedEntry[] = [];
  for (let at = 0; at < count; at += view.getUint16(at + LENGTH_OFFSET, true)) {
    const start = at + NAME_OFFSET;
    const end = buffer.indexOf(0, start);
    if (isDots(start, end)) continue;
    entries.push({ name: nameIn(start, end), type: view.getUint8(at + TYPE_OFFSET) });
  }
  return entries;
}

function isDots(start: number, end: number): boolean {
  const length = end - start;
  return buffer[start] === DOT && (length === 1 || (length === 2 && buffer[start + 1] === DOT));
}

/** Most names are short and in ASCII: to put their characters together is faster than to decode them. */
function nameIn(start: number, end: number): string {
  for (let at = start; at < end; at++) {
    if ((buffer[at] ?? 0) >= 0x80) return decodeOsString(buffer.subarray(start, end));
  }
  return decoder.decode(buffer.subarray(start, end));
}

/** Something in a directory that no text can name. */
export interface UndecodableName {
  /** Its name, with U+FFFD for what is not UTF-8. */
  readonly likeness: string;
  readonly mayBeDirectory: boolean;
}

/**
 * What is in a directory under names that are not UTF-8, which the runtime leaves out of its lists.
 *
 * @throws {SystemError} if the directory cannot be read
 */
export function undecodableNames(path: string): UndecodableName[] {
  return undecodableEntries(path).map(({ name, type }) => ({
    likeness: readableText(name),
    mayBeDirectory: type === EntryType.Directory || type === EntryType.Unknown,
  }));
}

/** The same as the runtime has its entries. @throws {SystemError} */
export function undecodableDirEntries(path: string): Deno.DirEntry[] {
  return undecodableEntries(path).map((entry) => dirEntry(path, entry));
}

/** An entry as the runtime has it. */
export function dirEntry(directory: string, { name, type }: NamedEntry): Deno.DirEntry {
  const known = type === EntryType.Unknown ? typeOf(`${directory}/${name}`) : type;
  return {
    name,
    isDirectory: known === EntryType.Directory,
    isFile: known === EntryType.File,
    isSymlink: known === EntryType.Link,
  };
}

/** The same as the system has them. @throws {SystemError} */
export function undecodableEntries(path: string): NamedEntry[] {
  const directory = openAt(-1, path, Open.Directory);
  try {
    return directoryEntries(directory).filter(({ name }) => !name.isWellFormed()).toArray();
  } finally {
    closeDescriptor(directory);
  }
}

/** Of a file system that does not tell with the name. */
function typeOf(path: string): number {
  const NO_DIRECTORY: Descriptor = -1;
  switch (statusAt(NO_DIRECTORY, path).type) {
    case FileType.Directory:
      return EntryType.Directory;
    case FileType.File:
      return EntryType.File;
    case FileType.Link:
      return EntryType.Link;
    default:
      return EntryType.Unknown;
  }
}
