/** What an index (gitformat-index(5)) says that has to do with other repositories. */
export interface GitIndex {
  /** The paths of submodules, relative to the top of the working tree. */
  readonly submodules: readonly string[];
  /** The name of the index, in the same directory, that this one only adds to. */
  readonly sharedIndex: string | undefined;
}

/** An index that cannot be read as one. */
export class GitIndexError extends Error {
  override readonly name = "GitIndexError";
}

const SIGNATURE = "DIRC";
const HEADER_BYTES = 12;
/** Where an entry has its mode, and where the name of its object begins. */
const MODE_OFFSET = 24;
const OBJECT_OFFSET = 40;
/** SHA-1 and SHA-256. */
const OBJECT_BYTES = [20, 32];
const EXTENDED = 0x4000;
const NAME_LENGTH = 0xfff;
const MODE_TYPE = 0o170000;
/** An entry for a commit of another repository. */
const GITLINK = 0o160000;
const ENTRY_ALIGNMENT = 8;
/** Longer than any path that a file can have, and than the flags can say. */
const LONGEST_NAME = 65_536;
/** The extension by which an index adds to a shared one. */
const LINK = "link";

/**
 * Reads the paths of submodules out of an index of any version, with objects of any kind.
 *
 * @throws {GitIndexError} if it cannot be read, or a submodule's path is not UTF-8
 */
export function parseGitIndex(bytes: Uint8Array): GitIndex {
  for (const objectBytes of OBJECT_BYTES) {
    const index = new IndexReader(bytes, objectBytes).read();
    // An index does not say which kind of objects it has; with the other kind its names do not fit.
    if (index !== undefined) return index;
  }
  throw new GitIndexError("it is in no known format");
}

/** Where a name is. */
interface Name {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

class IndexReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #objectBytes: number;
  #at = HEADER_BYTES;
  #version = 0;
  /** The name before, of which version 4 repeats the beginning by its length. */
  #name = new Uint8Array(LONGEST_NAME);
  #nameLength = 0;

  constructor(bytes: Uint8Array, objectBytes: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#objectBytes = objectBytes;
  }

  /** Undefined if names do not have the lengths that they are said to have. */
  read(): GitIndex | undefined {
    if (this.#bytes.length < HEADER_BYTES || this.#text(0, 4) !== SIGNATURE) return undefined;
    this.#version = this.#view.getUint32(4);
    if (this.#version < 2 || this.#version > 4) return undefined;
    const submodules: string[] = [];
    for (let entries = this.#view.getUint32(8); entries > 0; entries--) {
      const start = this.#at;
      if (start + OBJECT_OFFSET + this.#objectBytes + 2 > this.#bytes.length) return undefined;
      const mode = this.#view.getUint32(start + MODE_OFFSET);
      const name = this.#readName();
      if (name === undefined) return undefined;
      if ((mode & MODE_TYPE) === GITLINK && name.end > name.start) {
        submodules.push(decode(name.bytes.subarray(name.start, name.end)));
      }
    }
    return { submodules, sharedIndex: this.#sharedIndex() };
  }

  /** Goes on to the next entry. Undefined if the name is not as long as it is said to be. */
  #readName(): Name | undefined {
    const start = this.#at;
    const flagsAt = start + OBJECT_OFFSET + this.#objectBytes;
    const flags = this.#view.getUint16(flagsAt);
    const at = flagsAt + 2 + (this.#version > 2 && (flags & EXTENDED) !== 0 ? 2 : 0);
    const told = flags & NAME_LENGTH;
    if (this.#version === 4) return this.#readRest(at, told);
    // Millions of names are not looked at: only whether each ends where it should.
    const end = told < NAME_LENGTH ? at + told : this.#bytes.indexOf(0, at);
    if (this.#bytes[end] !== 0) return undefined;
    const length = end - start;
    this.#at = start + length + ENTRY_ALIGNMENT - length % ENTRY_ALIGNMENT;
    return { bytes: this.#bytes, start: at, end };
  }

  /** Of the name before so many bytes go, and others come. */
  #readRest(at: number, told: number): Name | undefined {
    const { value, next } = this.#readOffset(at);
    const end = this.#bytes.indexOf(0, next);
    const length = this.#nameLength - value + end - next;
    if (value > this.#nameLength || end === -1 || length > LONGEST_NAME) return undefined;
    this.#name.set(this.#bytes.subarray(next, end), this.#nameLength - value);
    this.#nameLength = length;
    this.#at = end + 1;
    if (told !== Math.min(length, NAME_LENGTH)) return undefined;
    return { bytes: this.#name, start: 0, end: length };
  }

  /** A number as packs have the distance to another object (gitformat-pack(5)). */
  #readOffset(at: number): { readonly value: number; readonly next: number } {
    let byte = this.#bytes[at++] ?? 0;
    let value = byte & 0x7f;
    while ((byte & 0x80) !== 0) {
      byte = this.#bytes[at++] ?? 0;
      value = (value + 1) * 128 + (byte & 0x7f);
    }
    return { value, next: at };
  }

  #sharedIndex(): string | undefined {
    const end = this.#bytes.length - this.#objectBytes;
    for (let at = this.#at; at + 8 <= end;) {
      const size = this.#view.getUint32(at + 4);
      if (this.#text(at, 4) === LINK && size >= this.#objectBytes) {
        return `sharedindex.${this.#bytes.subarray(at + 8, at + 8 + this.#objectBytes).toHex()}`;
      }
      at += 8 + size;
    }
    return undefined;
  }

  #text(at: number, length: number): string {
    return String.fromCharCode(...this.#bytes.subarray(at, at + length));
  }
}

function decode(name: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(name);
  } catch {
    throw new GitIndexError("the path of a submodule is not UTF-8");
  }
}
