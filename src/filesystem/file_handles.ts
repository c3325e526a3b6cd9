import { invalidParams, invalidRequest, notFound } from "../protocol/errors.ts";
import { MAX_BLOCK_BYTES } from "../protocol/filesystem.ts";
import type { Params, ResultInput } from "../protocol/methods.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import { systemErrorCode, toRpcError } from "./io_error.ts";
import { hostPath } from "./named.ts";
import { openRegularFile } from "./open.ts";
import { plainPaths } from "./plain_paths.ts";
import {
  discardResumable,
  notOpenFor,
  resumeBeside,
  stageBeside,
  StagedFile,
  storeStaged,
} from "./staged_file.ts";
import { PlaceReader } from "./transfer.ts";
import type { FileHandle } from "node:fs/promises";

/** How the files are reached that handles are opened for. */
export interface FileOpener {
  /** Opens a regular file for reading. */
  readonly open: (path: PathUri) => Promise<FileHandle>;
  /** Begins what is to become a regular file's content. */
  readonly stage: (path: PathUri) => Promise<StagedFile>;
  /** The same, or goes on with what the key names. */
  readonly resume: (path: PathUri, key: string) => Promise<StagedFile>;
}

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
  readonly #room = new Room(MAX_DESCRIPTORS);

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
    const opening = this.#room.take().then(() => open(path, mode, resumeKey, opener));
    const handle = new Handle(path, mode !== "read", opening, () => this.#room.give());
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

/** What a handle stands for. */
class Handle implements AsyncDisposable {
  readonly path: PathUri;
  readonly isWritten: boolean;
  readonly opening: Promise<OpenFile | StagedFile>;
  readonly #uses = new Set<Promise<unknown>>();
  readonly #closed: () => void;

  /** @param closed told once the file is closed, or could not be opened */
  constructor(
    path: PathUri,
    isWritten: boolean,
    opening: Promise<OpenFile | StagedFile>,
    closed: () => void,
  ) {
    this.path = path;
    this.isWritten = isWritten;
    this.opening = opening;
    this.#closed = closed;
  }

  /** Undefined if it could not be opened, of which whoever opens it hears. */
  get file(): Promise<OpenFile | StagedFile | undefined> {
    return this.opening.catch(() => undefined);
  }

  /** Does something for which the file stays open. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    const doing = work();
    this.#uses.add(doing);
    try {
      return await doing;
    } finally {
      this.#uses.delete(doing);
    }
  }

  /** Settles when nothing uses it any more. */
  async unused(): Promise<void> {
    await Promise.allSettled(this.#uses);
  }

  /** Gives up what was written and closes the file, in place of disposing of this. */
  async discard(file: StagedFile): Promise<void> {
    using closing = new DisposableStack();
    closing.defer(this.#closed);
    await using _file = file;
    await file.discard().catch(() => {});
  }

  /** Closes the file once nothing uses it any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    using closing = new DisposableStack();
    closing.defer(this.#closed);
    await this.unused();
    await using _file = await this.file;
  }
}

/** Room for so many, which is given to those who ask in the order in which they ask. */
class Room {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(size: number) {
    this.#free = size;
  }

  async take(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}

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

/** Reaches them with all rights of this process. */
export const plainOpener: FileOpener = {
  open: async (path) => {
    const name = hostPath(path);
    using place = plainPaths.object(name, "read");
    return (await openRegularFile(place.path, name)).file;
  },
  stage: async (path) => {
    const name = hostPath(path);
    return await StagedFile.create(await stageBeside(name, plainPaths), {
      store: (content, attributes) => storeStaged(name, plainPaths, content, attributes),
    });
  },
  resume: async (path, key) => {
    const name = hostPath(path);
    return await StagedFile.create(await resumeBeside(name, plainPaths, key), {
      store: (content, attributes) => storeStaged(name, plainPaths, content, attributes, key),
      discard: () => discardResumable(name, plainPaths, key),
    });
  },
};

async function open(
  path: PathUri,
  mode: Params<"fs/open">["mode"],
  resumeKey: string | undefined,
  opener: FileOpener,
): Promise<OpenFile | StagedFile> {
  try {
    switch (mode) {
      case "read":
        return new OpenFile(await opener.open(path));
      case "replace":
        return await opener.stage(path);
      case "resume":
        if (resumeKey === undefined) throw invalidParams("`resumeKey` is missing");
        return await opener.resume(path, resumeKey);
    }
  } catch (error) {
    throw toRpcError(error);
  }
}

/** A file open for reading at any place, by several at a time. */
class OpenFile implements AsyncDisposable {
  readonly #file: PlaceReader;

  constructor(file: FileHandle) {
    this.#file = new PlaceReader(file);
  }

  /** Up to `length` bytes from `offset` on: fewer, or none, at the end of the file. */
  async readAt(offset: number, length: number): Promise<Uint8Array> {
    try {
      return await this.#file.read(offset, length);
    } catch (error) {
      // Past the largest file that the file system could hold (lseek(2)).
      if (systemErrorCode(error) === "EINVAL") return new Uint8Array();
      throw error;
    }
  }

  /** Closes the file once the reads before are done. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#file[Symbol.asyncDispose]();
  }
}
