import { AT_FDCWD, S_IFMT } from "../os/constants.ts";
import {
  closeSync,
  constants as fileFlags,
  fstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
  statSync,
} from "node:fs";
import { constants as systemConstants } from "node:os";
import { closeDescriptor } from "../os/descriptor.ts";
import { directoryEntries, dirEntry, EntryType } from "../os/directory_entries.ts";
import { fileModeAt } from "../os/file_status.ts";
import { Open, openAt } from "../os/open_at.ts";
import { readableText } from "../os/os_string.ts";

/**
 * What a path itself is, a link at its end not followed: `other` is a device, a socket or a pipe,
 * `unreachable` what this user has no way to look at.
 */
export type PathKind = "directory" | "file" | "link" | "other" | "missing" | "unreachable";

/** One name in a directory. */
export interface DirectoryEntry {
  readonly name: string;
  readonly kind: PathKind;
  /** Whether the name is only like this, for it is not UTF-8: nothing can be said about the path. */
  readonly foreign?: boolean;
}

/** What binding has to know of this machine's files; an interface, so that tests need no files. */
export interface Disk {
  kindOf(path: string): PathKind;
  /** What a link says, word for word. Empty if it is gone. */
  readLink(path: string): string;
  /**
   * The first 8192 bytes of a regular file as text, what is not UTF-8 as U+FFFD: more than a path
   * can have. Empty if it cannot be read.
   */
  readStart(path: string): string;
  /**
   * What is different when the content of a file is. Undefined if it cannot be told.
   */
  versionOf(path: string): string | undefined;
  /**
   * The bytes of a regular file. Undefined if it cannot be read.
   *
   * @throws {RangeError} if there are more than so many
   */
  readWhole(path: string, maxBytes: number): Uint8Array | undefined;
  /**
   * What is in a directory. Empty if it is gone, or this user may not read it.
   *
   * @param refused called if this user may not read it: a command that runs as the same user may make
   * it readable, or know names in it
   * @throws the system's error for anything else: what is not seen could not be denied
   */
  list(path: string, refused?: () => void): readonly DirectoryEntry[];
}

const START_BYTES = 8192;
/** The types of files as `st_mode` has them (inode(7)). */
const KINDS: ReadonlyMap<number, PathKind> = new Map([
  [0o040000, "directory"],
  [0o100000, "file"],
  [0o120000, "link"],
]);
const MISSING: ReadonlySet<number> = new Set([
  systemConstants.errno.ENOENT,
  systemConstants.errno.ENOTDIR,
]);

/** Why a directory has nothing in it that a command could read. */
const UNLISTED = ["ENOENT", "ENOTDIR", "EACCES", "EPERM", "ELOOP"];

/** This machine's files. */
export const hostDisk: Disk = {
  kindOf(path) {
    if (!path.includes("\0")) {
      const found = fileModeAt(path);
      if (found.kind === "found") return KINDS.get(found.mode & S_IFMT) ?? "other";
      if (MISSING.has(found.errno)) return "missing";
    }
    try {
      return kindOf(Deno.lstatSync(path));
    } catch (error) {
      const isMissing = isErrorCode(error, "ENOENT") || isErrorCode(error, "ENOTDIR");
      return isMissing ? "missing" : "unreachable";
    }
  },
  readLink: (path) => orElse("", () => readlinkSync(path)),
  readStart: (path) =>
    withOpened(path, (descriptor) => {
      const bytes = new Uint8Array(START_BYTES);
      const start = bytes.subarray(0, readSync(descriptor, bytes));
      return new TextDecoder("utf-8", { ignoreBOM: true }).decode(start);
    }) ?? "",
  versionOf: (path) =>
    orElse(undefined, () => {
      const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
      return [dev, ino, size, mtimeNs, ctimeNs].join(":");
    }),
  readWhole(path, maxBytes) {
    return withOpened(path, (descriptor) => {
      const { size } = fstatSync(descriptor);
      if (size > maxBytes) throw new RangeError(`'${path}' is larger than ${maxBytes} bytes`);
      return readFileSync(descriptor);
    });
  },
  list(path, refused) {
    try {
      if (Deno.build.os === "linux") return entriesOf(path);
      return Array.from(
        Deno.readDirSync(path),
        (entry) => ({ name: entry.name, kind: kindOf(entry) }),
      );
    } catch (error) {
      if (!UNLISTED.some((code) => isErrorCode(error, code))) throw error;
      if (isErrorCode(error, "EACCES") || isErrorCode(error, "EPERM")) refused?.();
      return [];
    }
  },
};

/** What binding asks a disk that has one short answer. */
type ShortQuestion = "kindOf" | "readLink" | "readStart" | "versionOf";

/** As much is remembered to be asked again, in characters; a usual policy takes a hundredth. */
const MAX_REPEATABLE = 65_536;

interface Answered {
  readonly question: ShortQuestion;
  readonly path: string;
  readonly answer: string | undefined;
}

/**
 * Asks a disk once about each path, as nothing is meant to change meanwhile, and remembers what it
 * said.
 */
export class RememberingDisk implements Disk {
  readonly #disk: Disk;
  readonly #kinds = new Map<string, PathKind>();
  readonly #answers: Answered[] = [];
  #characters = 0;
  #isRepeatable = true;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Whether it can be told later if the disk says the same: not if that would take too long, or too much. */
  get isRepeatable(): boolean {
    return this.#isRepeatable;
  }

  /** Whether the disk still says all that it has said. False if that cannot be told. */
  wouldSayTheSame(): boolean {
    return this.#isRepeatable &&
      this.#answers.every(({ question, path, answer }) => this.#disk[question](path) === answer);
  }

  kindOf(path: string): PathKind {
    const known = this.#kinds.get(path);
    if (known !== undefined) return known;
    const kind = this.#disk.kindOf(path);
    this.#kinds.set(path, kind);
    return this.#noted("kindOf", path, kind);
  }

  readLink(path: string): string {
    return this.#noted("readLink", path, this.#disk.readLink(path));
  }

  readStart(path: string): string {
    return this.#noted("readStart", path, this.#disk.readStart(path));
  }

  versionOf(path: string): string | undefined {
    return this.#noted("versionOf", path, this.#disk.versionOf(path));
  }

  /** The same content as long as the version is the same, which is asked before. */
  readWhole(path: string, maxBytes: number): Uint8Array | undefined {
    this.#isRepeatable &&= this.#answers.some(({ question, path: asked, answer }) =>
      question === "versionOf" && asked === path && answer !== undefined
    );
    return this.#disk.readWhole(path, maxBytes);
  }

  list(path: string, refused?: () => void): readonly DirectoryEntry[] {
    this.#isRepeatable = false;
    return this.#disk.list(path, refused);
  }

  #noted<T extends string | undefined>(question: ShortQuestion, path: string, answer: T): T {
    this.#answers.push({ question, path, answer });
    this.#characters += path.length + (answer?.length ?? 0);
    this.#isRepeatable &&= this.#characters <= MAX_REPEATABLE;
    return answer;
  }
}

function kindOf(
  { isSymlink, isDirectory, isFile }: Pick<Deno.DirEntry, "isSymlink" | "isDirectory" | "isFile">,
): PathKind {
  if (isSymlink) return "link";
  if (isDirectory) return "directory";
  return isFile ? "file" : "other";
}

/** All that is in a directory: the runtime leaves names out that are not UTF-8. */
function entriesOf(path: string): DirectoryEntry[] {
  const directory = openAt(AT_FDCWD, path, Open.Directory);
  try {
    return directoryEntries(directory).map((entry): DirectoryEntry => {
      const { name, type } = entry;
      if (name.isWellFormed()) return { name, kind: kindOf(dirEntry(path, entry)) };
      const mayBeDirectory = type === EntryType.Directory || type === EntryType.Unknown;
      return {
        name: readableText(name),
        kind: mayBeDirectory ? "directory" : "other",
        foreign: true,
      };
    }).toArray();
  } finally {
    closeDescriptor(directory);
  }
}

/** Undefined if the system refuses. */
function withOpened<T>(path: string, read: (descriptor: number) => T): T | undefined {
  try {
    // It may have become a FIFO, which would be waited for.
    const descriptor = openSync(path, fileFlags.O_RDONLY | fileFlags.O_NONBLOCK);
    try {
      return read(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (error instanceof RangeError) throw error;
    return undefined;
  }
}

function orElse<T>(otherwise: T, action: () => T): T {
  try {
    return action();
  } catch {
    return otherwise;
  }
}

function isErrorCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
