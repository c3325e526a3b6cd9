import { Buffer } from "node:buffer";
import type { Result } from "../protocol/methods.ts";
import type { PathUri } from "../protocol/path_uri.ts";

/** What something is, and which. */
export type Status = Result<"fs/stat">;

/** What something is. */
export type Attributes = Omit<Status, "identity">;

/** Something in a directory, by the last segment of its path's URI. */
export type Entry = Result<"fs/list">["entries"][number];

/** What a copy is to have besides its content; what is undefined is as for any new file. */
export interface NewAttributes {
  readonly permissions?: number | undefined;
  /** In milliseconds since 1970. */
  readonly modifiedAtMs?: number | undefined;
}

/** A file of which any part can be read. */
export interface BlockReader extends AsyncDisposable {
  /** Bytes from an offset on: fewer than asked for, or none, at the end of the file. */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** A file that is being written and has its name only when it is committed. */
export interface BlockWriter {
  /** Bytes that were written in an earlier run, or before the last {@linkcode ProgressLost}. */
  readonly size: number;
  /**
   * Writes a block. Blocks are sent in the order of the calls, so that what is there when the
   * connection breaks has no gap but holes that were meant.
   *
   * @throws {ProgressLost}
   */
  write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Gives the file its name. @param size of the whole file @throws {ProgressLost} */
  commit(size: number, attributes: NewAttributes): Promise<void>;
  /** Gives up what was written. */
  discard(): Promise<void>;
}

/** Less is there than was written: the connection broke where that could not be kept. */
export class ProgressLost extends Error {
  override readonly name = "ProgressLost";
}

/**
 * Where files are copied from or to: this machine, or an executor's. A connection that breaks and comes
 * back is not noticed.
 *
 * All methods throw `RpcError` for what cannot be done, and `ConnectionError` when the executor is lost.
 */
export interface FileEnd {
  /** What names a path for people. */
  describe(path: PathUri): string;
  /** What a path leads to, or with `followLinks` false what is there; undefined for nothing. */
  stat(path: PathUri, followLinks?: boolean): Promise<Status | undefined>;
  /** The path without symbolic links that leads to the same place. */
  canonical(path: PathUri): Promise<PathUri>;
  /** What is in a directory, page by page, by name. */
  list(path: PathUri): AsyncIterable<readonly Entry[]>;
  /** All of a file of up to {@linkcode SMALL_FILE_BYTES}; undefined if there is more in it. */
  readFile(path: PathUri): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Makes a file hold these bytes, up to {@linkcode SMALL_FILE_BYTES}. */
  writeFile(
    path: PathUri,
    bytes: Uint8Array<ArrayBuffer>,
    attributes: NewAttributes,
  ): Promise<void>;
  /** @param known what the file was; one that has changed is not gone on with */
  openToRead(path: PathUri, known: Attributes): Promise<BlockReader>;
  /** @param key names the content: writing the same goes on where it stopped */
  openToWrite(path: PathUri, key: string): Promise<BlockWriter>;
  /** Makes a directory if there is none. */
  makeDirectory(path: PathUri): Promise<void>;
  /** @param target what the link says, in the system's bytes */
  makeLink(path: PathUri, target: Uint8Array<ArrayBuffer>): Promise<void>;
  setAttributes(path: PathUri, attributes: NewAttributes): Promise<void>;
  /** Removes a file or a link, if there is one. */
  remove(path: PathUri): Promise<void>;
}

/** A file of up to so many bytes is read and written as a whole, a larger one in blocks. */
export const SMALL_FILE_BYTES = 1024 * 1024;

const ZEROS = Buffer.alloc(SMALL_FILE_BYTES);

/** Whether a block is nothing but zeros. */
export function isZero(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, ZEROS.subarray(0, bytes.length)) === 0;
}
