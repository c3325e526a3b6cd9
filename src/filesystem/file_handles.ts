import { invalidRequest, notFound } from "../protocol/errors.ts";
import { MAX_READ_BLOCK_BYTES } from "../protocol/filesystem.ts";
import type { Params, ResultInput } from "../protocol/methods.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import { systemErrorCode, toRpcError } from "./io_error.ts";
import { hostPath } from "./named.ts";
import { openRegularFile } from "./open.ts";
import { plainPaths } from "./plain_paths.ts";
import { readFully } from "./transfer.ts";
import type { FileHandle } from "node:fs/promises";

/** Opens a regular file for reading. */
export type FileOpener = (path: PathUri) => Promise<FileHandle>;

/** Files that one connection may have open. */
export const MAX_OPEN_FILES = 128;
/** Bytes of a handle's id, as UTF-8. */
const MAX_HANDLE_ID_BYTES = 32;

/**
 * The files that a connection has open for reading; disposed of with the connection.
 *
 * A handle is taken and given up in the order in which requests come, so that a client need not
 * wait for one answer before it sends the next request. All methods throw {@linkcode RpcError}.
 */
export class FileHandles implements AsyncDisposable {
  readonly #files = new Map<string, Promise<OpenFile>>();

  /**
   * `fs/open`: a regular file, under an id of the client's choice.
   *
   * @param openFile opens the file at the path for reading
   */
  async open(
    { handleId, path }: Params<"fs/open">,
    openFile: FileOpener = openPlainly,
  ): Promise<ResultInput<"fs/open">> {
    refuseLongId(handleId);
    if (this.#files.has(handleId)) {
      throw invalidRequest(`file read handle \`${handleId}\` already exists`);
    }
    if (this.#files.size >= MAX_OPEN_FILES) {
      throw invalidRequest(`at most ${MAX_OPEN_FILES} file reads may be open per connection`);
    }
    const opening = open(path, openFile);
    this.#files.set(handleId, opening);
    try {
      await opening;
    } catch (error) {
      if (this.#files.get(handleId) === opening) this.#files.delete(handleId);
      throw error;
    }
    return { handleId };
  }

  /** `fs/readBlock`: the end is reached when there is less than was asked for. */
  async readBlock(
    { handleId, offset, len }: Params<"fs/readBlock">,
  ): Promise<ResultInput<"fs/readBlock">> {
    refuseLongId(handleId);
    if (len < 1 || len > MAX_READ_BLOCK_BYTES) {
      throw invalidRequest(`file read block length must be between 1 and ${MAX_READ_BLOCK_BYTES}`);
    }
    const file = await this.#files.get(handleId)?.catch(() => undefined);
    if (file === undefined) throw notFound(`unknown file read handle \`${handleId}\``);
    try {
      const bytes = await file.readAt(offset, len);
      return { chunk: bytes.toBase64(), eof: bytes.length < len };
    } catch (error) {
      throw toRpcError(error);
    }
  }

  /** `fs/close`: an unknown handle is as good as a closed one. */
  close({ handleId }: Params<"fs/close">): ResultInput<"fs/close"> {
    refuseLongId(handleId);
    const file = this.#files.get(handleId);
    this.#files.delete(handleId);
    if (file !== undefined) void closed(file);
    return {};
  }

  /** Settles when all files are closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    const files = [...this.#files.values()];
    this.#files.clear();
    await Promise.all(files.map(closed));
  }
}

function refuseLongId(handleId: string): void {
  if (new TextEncoder().encode(handleId).length > MAX_HANDLE_ID_BYTES) {
    throw invalidRequest(`file read handle ID must not exceed ${MAX_HANDLE_ID_BYTES} bytes`);
  }
}

/** Opens it with all rights of this process. */
export async function openPlainly(path: PathUri): Promise<FileHandle> {
  const name = hostPath(path);
  using place = plainPaths.object(name, "read");
  return (await openRegularFile(place.path, name)).file;
}

async function open(path: PathUri, openFile: FileOpener): Promise<OpenFile> {
  try {
    return new OpenFile(await openFile(path));
  } catch (error) {
    throw toRpcError(error);
  }
}

/** Closes a file once it is open; whoever opens it hears of a failure. */
async function closed(opening: Promise<OpenFile>): Promise<void> {
  const file = await opening.catch(() => undefined);
  await file?.close();
}

/**
 * A file open for reading at any place, by several at a time.
 *
 * The runtime reads at a place by moving the file's position there, so that reads take turns.
 */
class OpenFile {
  readonly #file: FileHandle;
  #lastRead: Promise<unknown> = Promise.resolve();

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Up to `length` bytes from `offset` on: fewer, or none, at the end of the file. */
  readAt(offset: number, length: number): Promise<Uint8Array> {
    const reading = this.#lastRead.then(() => this.#read(offset, length));
    this.#lastRead = reading.catch(() => {});
    return reading;
  }

  /** Closes the file once the reads before are done. */
  async close(): Promise<void> {
    await this.#lastRead;
    await this.#file.close();
  }

  async #read(offset: number, length: number): Promise<Uint8Array> {
    const buffer = new Uint8Array(length);
    try {
      return buffer.subarray(0, await readFully(this.#file, buffer, offset));
    } catch (error) {
      // Past the largest file that the file system could hold (lseek(2)).
      if (systemErrorCode(error) === "EINVAL") return new Uint8Array();
      throw error;
    }
  }
}
