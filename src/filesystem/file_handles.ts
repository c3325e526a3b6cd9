import { invalidRequest, notFound } from "../protocol/errors.ts";
import { MAX_BLOCK_BYTES } from "../protocol/filesystem.ts";
import type { Params, ResultInput } from "../protocol/methods.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import { Budget } from "./budget.ts";
import { toRpcError } from "./io_error.ts";
import { type FileOpener, Handle, OpenFile, openFile, plainOpener } from "./open_files.ts";
import { notOpenFor, StagedFile } from "./staged_file.ts";

/** Does work when its turn has come. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;
/** Makes a change of what a path leads to when its turn has come. */
export type ChangeInTurn = <T>(path: PathUri, change: () => Promise<T>) => Promise<T>;

/** Files that one connection may have open. */
export const MAX_OPEN_FILES = 128;
/** The same with those that are not closed yet, as reads of them wait. Others are opened later then. */
const MAX_DESCRIPTORS = 2 * MAX_OPEN_FILES;
/** Bytes of a handle's id, as UTF-8. */
const MAX_HANDLE_ID_BYTES = 32;

/**
 * The files that a connection has open; disposed of with the connection, and what was written and
 * not closed is gone then.
 *
 * A handle is taken, used and given up in the order in which requests come, so that a client need not
 * wait for one answer before it sends the next request. All methods throw {@linkcode RpcError}.
 */
export class FileHandles implements AsyncDisposable {
  readonly #handles = new Map<string, Handle>();
  readonly #budget = new Budget(MAX_DESCRIPTORS);

  /**
   * `fs/open`: a regular file, under an id of the client's choice.
   *
   * @param opener how the path is followed
   */
  async open(
    { handleId, path, mode, resumeKey }: OpenParams,
    opener: FileOpener = plainOpener,
  ): Promise<ResultInput<"fs/open">> {
    refuseLongId(handleId);
    if (this.#handles.has(handleId)) {
      throw invalidRequest(`file handle \`${handleId}\` already exists`);
    }
    if (this.#handles.size >= MAX_OPEN_FILES) {
      throw invalidRequest(`at most ${MAX_OPEN_FILES} files may be open per connection`);
    }
    const opening = this.#budget.take(1).then(() => openFile(path, mode, resumeKey, opener));
    const handle = new Handle(path, mode !== "read", opening, () => this.#budget.give(1));
    this.#handles.set(handleId, handle);
    try {
      const file = await handle.opening;
      const resumed = mode === "resume" && file instanceof StagedFile;
      return { handleId, ...resumed ? { size: file.size } : {} };
    } catch (error) {
      if (this.#forget(handleId, handle)) await handle[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * `fs/readBlock`: the end is reached when there is less than was asked for.
   *
   * @param inTurn reads when that has its turn. @default at once
   */
  async readBlock(
    { handleId, offset, len }: Params<"fs/readBlock">,
    inTurn: InTurn = (read) => read(),
  ): Promise<ResultInput<"fs/readBlock">> {
    refuseLongId(handleId);
    if (len < 1 || len > MAX_BLOCK_BYTES) {
      throw invalidRequest(`file read block length must be between 1 and ${MAX_BLOCK_BYTES}`);
    }
    const handle = known(this.#handles.get(handleId), handleId);
    return await handle.use(async () => {
      const file = known(await handle.file, handleId);
      if (file instanceof StagedFile) throw notOpenFor(handleId, "reading");
      return await inTurn(() => readBlock(file, offset, len));
    });
  }

  /** `fs/writeBlock`: one that fails makes all that was written to the handle void. */
  async writeBlock(
    { handleId, offset, chunk }: Params<"fs/writeBlock">,
  ): Promise<ResultInput<"fs/writeBlock">> {
    refuseLongId(handleId);
    if (chunk.length < 1 || chunk.length > MAX_BLOCK_BYTES) {
      throw invalidRequest(`file write block length must be between 1 and ${MAX_BLOCK_BYTES}`);
    }
    const handle = known(this.#handles.get(handleId), handleId);
    return await handle.use(async () => {
      const file = known(await handle.file, handleId);
      if (file instanceof OpenFile) throw notOpenFor(handleId, "writing");
      try {
        await file.write(chunk, offset);
        return {};
      } catch (error) {
        if (this.#forget(handleId, handle)) await handle.discard(file);
        throw toRpcError(error);
      }
    });
  }

  /**
   * `fs/close`: what was written becomes the file's content, unless it is to be discarded. An unknown
   * handle is as good as a closed one. What was asked of the handle before is done first.
   *
   * @param changeInTurn changes the file when that has its turn. @default at once
   */
  async close(
    params: CloseParams,
    changeInTurn: ChangeInTurn = (_, change) => change(),
  ): Promise<ResultInput<"fs/close">> {
    const { handleId } = params;
    refuseLongId(handleId);
    const handle = this.#handles.get(handleId);
    if (handle === undefined) return {};
    this.#handles.delete(handleId);
    return await (handle.isWritten
      ? changeInTurn(handle.path, () => end(handle, params))
      : end(handle, params));
  }

  /** Whether it was the handle's until now. */
  #forget(handleId: string, handle: Handle): boolean {
    return this.#handles.get(handleId) === handle && this.#handles.delete(handleId);
  }

  /** Settles when all files are closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    const handles = [...this.#handles.values()];
    this.#handles.clear();
    await Promise.all(handles.map((handle) => handle[Symbol.asyncDispose]()));
  }
}

type OpenParams = Omit<Params<"fs/open">, "resumeKey"> & {
  readonly resumeKey?: string | undefined;
};
type CloseParams = Pick<Params<"fs/close">, "handleId"> & Partial<Params<"fs/close">>;

async function readBlock(
  file: OpenFile,
  offset: number,
  length: number,
): Promise<ResultInput<"fs/readBlock">> {
  try {
    const bytes = await file.readAt(offset, length);
    return { chunk: bytes.toBase64(), eof: bytes.length < length };
  } catch (error) {
    throw toRpcError(error);
  }
}

/** Closes a handle's file, which becomes what was written to it. */
async function end(
  handle: Handle,
  { permissions, modifiedAtMs, discard: given }: CloseParams,
): Promise<ResultInput<"fs/close">> {
  await using _closing = handle;
  await handle.unused();
  const file = await handle.file;
  if (!(file instanceof StagedFile)) return {};
  try {
    if (given === true) await file.discard();
    else await file.commit({ permissions, modifiedAtMs });
    return {};
  } catch (error) {
    await file.discard().catch(() => {});
    throw toRpcError(error);
  }
}

/** @throws {RpcError} -32004 */
function known<F>(file: F | undefined, handleId: string): F {
  if (file === undefined) throw notFound(`unknown file handle \`${handleId}\``);
  return file;
}

function refuseLongId(handleId: string): void {
  if (new TextEncoder().encode(handleId).length > MAX_HANDLE_ID_BYTES) {
    throw invalidRequest(`file handle ID must not exceed ${MAX_HANDLE_ID_BYTES} bytes`);
  }
}
