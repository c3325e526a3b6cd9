import { join } from "@std/path";
import { errorFields, log, logSeldom } from "../log/log.ts";
import { isPrivateDirectory } from "../os/private_directory.ts";
import type { OutputStream } from "../protocol/process.ts";
import { type RetainedChunk, STREAMS } from "./retained_output.ts";
import { type Retainer, RetentionPool } from "./retention_pool.ts";

/** The size of a file at which another one is begun, so that the oldest output can be dropped. */
const FILE_BYTES = 16 * 1024 * 1024;
/** Of so many files, one may be dropped. */
const FILES = 8;
/** Files that are open at the most: each is a descriptor, of which commands need some too. */
const MAX_FILES = 256;
/** What a chunk has before its bytes: their number times the number of streams, plus its stream. */
const HEADER_BYTES = 4;
/** What files are called as long as they have names. */
const PREFIX = "output-";

/**
 * A private directory for output that is kept in files. A file's name is removed as soon as the file
 * is open: whatever ends this program ends the files too.
 */
export class SpoolDirectory {
  readonly #places: readonly string[];
  /** What all files hold, and how many there are. */
  readonly pools: SpoolPools;
  readonly #fileBytes: number;
  #path: string | undefined;

  /**
   * @param places paths of which the first is taken that can be had privately
   * @param limitBytes what all files together hold at the most, in bytes
   * @param maxFiles how many of them are open at the most. @default 256
   */
  constructor(places: readonly string[], limitBytes: number, maxFiles: number = MAX_FILES) {
    this.#places = places;
    this.pools = { bytes: new RetentionPool(limitBytes), files: new RetentionPool(maxFiles) };
    // Half of the files can hold everything, as others are not full.
    const least = Math.ceil(limitBytes / (maxFiles / 2));
    this.#fileBytes = Math.max(least, Math.min(FILE_BYTES, Math.ceil(limitBytes / FILES)));
  }

  /** Whether there is a place for files. */
  get available(): boolean {
    this.#path ??= this.#places.find(isUsable);
    if (this.#path === undefined) {
      logSeldom("warn", "there is no place for output on disk; it is kept in memory", {
        reason: "no directory in ~/.cache, /var/tmp or TMPDIR can be written and be private",
      });
    }
    return this.#path !== undefined;
  }

  /** The files of one process. */
  open(): Spool {
    return new Spool(() => this.#create(), this.pools, this.#fileBytes);
  }

  /** @throws the system's error */
  #create(): Deno.FsFile {
    if (this.#path === undefined) throw new Deno.errors.NotFound("there is no place for output");
    return createNameless(this.#path);
  }
}

/** Makes the directory if need be, and removes what a killed executor has left there. */
function isUsable(path: string): boolean {
  if (!isPrivateDirectory(path)) return false;
  try {
    for (const { name } of Deno.readDirSync(path)) {
      if (name.startsWith(PREFIX)) removeIfThere(join(path, name));
    }
    createNameless(path).close();
    return true;
  } catch {
    return false;
  }
}

/** @throws the system's error */
function createNameless(directory: string): Deno.FsFile {
  const path = join(directory, PREFIX + crypto.randomUUID());
  const file = Deno.openSync(path, { read: true, write: true, createNew: true, mode: 0o600 });
  removeIfThere(path);
  return file;
}

/** Another executor of this user may have removed it. */
function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Consecutive chunks in a file. */
interface Block {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly file: SpoolFile;
  readonly offset: number;
  readonly length: number;
}

interface SpoolFile {
  readonly handle: Deno.FsFile;
  size: number;
}

/** What all spools together have, kept within limits. */
export interface SpoolPools {
  readonly bytes: RetentionPool;
  readonly files: RetentionPool;
}

/**
 * Output of one process in files, the oldest dropped first, a file at a time.
 *
 * Files are read and written at once, without waiting on other threads: they are local, and what is
 * read has mostly been written a moment before.
 */
export class Spool {
  readonly #create: () => Deno.FsFile;
  readonly #pools: SpoolPools;
  readonly #fileBytes: number;
  readonly #asBytes: Retainer;
  readonly #asFiles: Retainer;
  #files: SpoolFile[] = [];
  #blocks: Block[] = [];
  #usable = true;

  /** @param create makes a file @param fileBytes the size at which another one is begun */
  constructor(create: () => Deno.FsFile, pools: SpoolPools, fileBytes: number) {
    this.#create = create;
    this.#pools = pools;
    this.#fileBytes = fileBytes;
    this.#asBytes = this.#retainer(() => this.#size);
    this.#asFiles = this.#retainer(() => this.#files.length);
  }

  /**
   * Whether it takes output. It does not once files can no longer be written, nor as long as others
   * have all files that there may be.
   */
  get usable(): boolean {
    return this.#usable && (this.#files.length > 0 || this.#pools.files.hasRoom);
  }

  /** The number of the newest chunk, or 0. */
  get lastSeq(): number {
    return this.#blocks.at(-1)?.lastSeq ?? 0;
  }

  /** Takes chunks with consecutive numbers, newer than those it has. */
  append(chunks: readonly RetainedChunk[]): void {
    const [first] = chunks;
    const last = chunks.at(-1);
    if (first === undefined || last === undefined) return;
    const bytes = encode(chunks);
    // A full disk may have room again when the oldest is gone.
    while (this.#usable) {
      try {
        const file = this.#write(bytes);
        const offset = file.size - bytes.length;
        const [firstSeq, lastSeq] = [first.seq, last.seq];
        this.#blocks.push({ firstSeq, lastSeq, file, offset, length: bytes.length });
        this.#pools.bytes.changed(this.#asBytes, bytes.length);
        return;
      } catch (error) {
        if (this.#dropOldestFile()) continue;
        this.#usable = false;
        log("warn", "output cannot be kept on disk", errorFields(error));
      }
    }
  }

  /** The chunks with greater sequence numbers. */
  *after(seq: number): Generator<RetainedChunk> {
    const begin = this.#blocks.findIndex(({ lastSeq }) => lastSeq > seq);
    if (begin < 0) return;
    for (const block of this.#blocks.slice(begin)) {
      for (const chunk of decode(block.firstSeq, read(block))) {
        if (chunk.seq > seq) yield chunk;
      }
    }
  }

  /** The process has ended: what it left may go before the output of others. */
  seal(): void {
    this.#pools.bytes.closed(this.#asBytes);
    this.#pools.files.closed(this.#asFiles);
  }

  /** Drops everything. */
  clear(): void {
    while (this.#dropOldestFile());
  }

  /** What the files hold, in bytes. */
  get #size(): number {
    return this.#files.reduce((sum, { size }) => sum + size, 0);
  }

  /** Counts what it has in one unit. */
  #retainer(count: () => number): Retainer {
    return {
      get cost() {
        return count();
      },
      shrink: (cost) => {
        while (count() > cost && this.#dropOldestFile());
      },
    };
  }

  #write(bytes: Uint8Array): SpoolFile {
    let file = this.#files.at(-1);
    if (file === undefined || file.size >= this.#fileBytes) {
      file = { handle: this.#create(), size: 0 };
      this.#files.push(file);
      this.#pools.files.changed(this.#asFiles, 1);
    }
    file.handle.seekSync(file.size, Deno.SeekMode.Start);
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(file.handle.writeSync(rest));
    file.size += bytes.length;
    return file;
  }

  /** Returns whether there was one. */
  #dropOldestFile(): boolean {
    const oldest = this.#files.shift();
    if (oldest === undefined) return false;
    this.#blocks = this.#blocks.filter(({ file }) => file !== oldest);
    oldest.handle.close();
    this.#pools.bytes.changed(this.#asBytes, -oldest.size);
    this.#pools.files.changed(this.#asFiles, -1);
    return true;
  }
}

function encode(chunks: readonly RetainedChunk[]): Uint8Array {
  const size = chunks.reduce((sum, { bytes }) => sum + HEADER_BYTES + bytes.length, 0);
  const encoded = new Uint8Array(size);
  const view = new DataView(encoded.buffer);
  let offset = 0;
  for (const { stream, bytes } of chunks) {
    view.setUint32(offset, bytes.length * STREAMS.length + STREAMS.indexOf(stream));
    encoded.set(bytes, offset + HEADER_BYTES);
    offset += HEADER_BYTES + bytes.length;
  }
  return encoded;
}

function* decode(firstSeq: number, encoded: Uint8Array<ArrayBuffer>): Generator<RetainedChunk> {
  const view = new DataView(encoded.buffer);
  for (let offset = 0, seq = firstSeq; offset < encoded.length; seq++) {
    const coded = view.getUint32(offset);
    const begin = offset + HEADER_BYTES;
    offset = begin + Math.floor(coded / STREAMS.length);
    const stream: OutputStream = STREAMS[coded % STREAMS.length] ?? "stdout";
    yield { seq, stream, bytes: encoded.subarray(begin, offset) };
  }
}

function read({ file, offset, length }: Block): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  file.handle.seekSync(offset, Deno.SeekMode.Start);
  for (let done = 0; done < length;) {
    const count = file.handle.readSync(bytes.subarray(done));
    if (count === null) throw new Error("a file of retained output is shorter than it was");
    done += count;
  }
  return bytes;
}
