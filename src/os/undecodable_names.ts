import { closeDescriptor, type Descriptor } from "./descriptor.ts";
import { readableText } from "./os_string.ts";
import { Open, openAt } from "./open_at.ts";
import { directoryEntries, EntryType, type NamedEntry } from "./directory_entries.ts";
import { FileType, statusAt } from "./file_status.ts";

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
  return foreignEntries(path).map(({ name, type }) => ({
    likeness: readableText(name),
    mayBeDirectory: type === EntryType.Directory || type === EntryType.Unknown,
  }));
}

/** The same as the runtime has its entries. @throws {SystemError} */
export function undecodableDirEntries(path: string): Deno.DirEntry[] {
  return foreignEntries(path).map((entry) => dirEntry(path, entry));
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

function foreignEntries(path: string): NamedEntry[] {
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
