import type { FileHandle } from "node:fs/promises";
import { invalidParams } from "../protocol/errors.ts";
import type { Params } from "../protocol/methods.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import { systemErrorCode, toRpcError } from "./io_error.ts";
import { hostPath } from "./named.ts";
import { openRegularFile } from "./open.ts";
import { plainPaths } from "./plain_paths.ts";
import {
  discardResumable,
  resumeBeside,
  stageBeside,
  StagedFile,
  storeStaged,
} from "./staged_file.ts";
import { PlaceReader } from "./transfer.ts";

/** How the files are reached that handles are opened for. */
export interface FileOpener {
  /** Opens a regular file for reading. */
  readonly open: (path: PathUri) => Promise<FileHandle>;
  /** Begins what is to become a regular file's content. */
  readonly stage: (path: PathUri) => Promise<StagedFile>;
  /** The same, or goes on with what the key names. */
  readonly resume: (path: PathUri, key: string) => Promise<StagedFile>;
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

/** Opens what a handle is to stand for. @throws {RpcError} */
export async function openFile(
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

/** What a handle stands for. */
export class Handle implements AsyncDisposable {
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

/** A file open for reading at any place, by several at a time. */
export class OpenFile implements AsyncDisposable {
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
