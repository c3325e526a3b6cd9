import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "@std/path";
import { closeDescriptor, type Descriptor } from "../os/descriptor.ts";
import { Open, openAt, pathTo } from "../os/open_at.ts";
import { invalidRequest } from "../protocol/errors.ts";
import { isNotFound, systemErrorCode } from "./io_error.ts";
import { notRegular } from "./open.ts";
import type { Destination, Paths } from "./paths.ts";
import { atomicWrite, type StagedContent } from "./atomic_write.ts";
import { writeFully } from "./transfer.ts";
import { NEW_FILE_MODE } from "./temp_file.ts";

/** Makes the file that it was staged for hold this content. */
export type Store = (content: StagedContent) => Promise<void>;

/** A file that is open, and what leads to it. */
interface Staging {
  readonly path: string;
  readonly file: FileHandle;
  /** Frees what is left of it once it is closed. */
  readonly release: () => Promise<void> | void;
}

/**
 * What is to become a file's whole content: written to a file without a name, of which nothing is
 * left unless it is committed, however this program ends.
 */
export class StagedFile implements AsyncDisposable {
  readonly #staging: Staging;
  readonly #linkable: boolean;
  readonly #store: Store;
  #last: Promise<void> = Promise.resolve();

  private constructor(staging: Staging, linkable: boolean, store: Store) {
    this.#staging = staging;
    this.#linkable = linkable;
    this.#store = store;
  }

  /**
   * @param beside what {@linkcode stageBeside} gave, which is closed with this
   * @param store is given the content when it is committed
   */
  static async create(beside: Descriptor | undefined, store: Store): Promise<StagedFile> {
    const staging = beside === undefined ? await elsewhere() : await held(beside);
    return new StagedFile(staging, beside !== undefined, store);
  }

  /** Writes a block at an offset. One that fails makes it impossible to commit. */
  write(bytes: Uint8Array, offset: number): Promise<void> {
    const writing = this.#last.then(() => writeFully(this.#staging.file, bytes, offset));
    this.#last = writing;
    // Who writes next, or commits, is told as well.
    this.#last.catch(() => {});
    return writing;
  }

  /** Makes it the file's content, once all blocks are written. */
  async commit(): Promise<void> {
    await this.#last;
    const source = this.#staging.path;
    await this.#store({ kind: "staged", source, linkable: this.#linkable });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last.catch(() => {});
    await this.#staging.file.close();
    await this.#staging.release();
  }
}

async function held(descriptor: Descriptor): Promise<Staging> {
  const release = () => closeDescriptor(descriptor);
  const path = pathTo(descriptor);
  try {
    return { path, file: await open(path, constants.O_RDWR), release };
  } catch (error) {
    release();
    throw error;
  }
}

/** Creates it in the directory for temporary files; without a name where a descriptor leads to it. */
async function elsewhere(): Promise<Staging> {
  const path = await Deno.makeTempFile({ prefix: "remex-" });
  const remove = () => Deno.remove(path).catch(() => {});
  if (Deno.build.os === "linux") {
    try {
      return await held(openAt(-1, path, Open.ReadWrite));
    } finally {
      await remove();
    }
  }
  try {
    return { path, file: await open(path, constants.O_RDWR), release: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/**
 * Creates a file without a name in the directory of the file whose content it is to become, if that
 * may be written, and if there can be such a file.
 *
 * @returns undefined if it has to be elsewhere
 * @throws the system's error, or RpcError, if no regular file can be written at the path
 */
export async function stageBeside(path: string, paths: Paths): Promise<Descriptor | undefined> {
  using destination = paths.destination(path);
  const there = await whatIsThere(destination);
  // To open a FIFO would be to wait for its reader.
  if (there !== undefined && !there.isFile && !there.isDirectory) throw notRegular(path);
  await using file = await destination.open();
  const name = file === undefined
    ? await destination.newName()
    : await destination.nameOf(await file.stat());
  if (name === undefined) return undefined;
  if (file === undefined) await Deno.stat(dirname(name));
  try {
    await using created = await destination.createNameless(`${dirname(name)}/`, NEW_FILE_MODE);
    return openAt(-1, created.path, Open.ReadWrite);
  } catch (error) {
    if (systemErrorCode(error) === "EMFILE" || file === undefined && isDenied(error)) throw error;
    return undefined;
  }
}

async function whatIsThere({ file }: Destination): Promise<Deno.FileInfo | undefined> {
  if (file === undefined) return undefined;
  try {
    return await Deno.stat(file);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Whether nothing can be created there, with or without a name. */
function isDenied(error: unknown): boolean {
  const code = systemErrorCode(error);
  return code === "EACCES" || code === "EPERM" || code === "EROFS";
}

/** Commits what was staged for a path. @throws the system's error, or RpcError */
export async function storeStaged(
  path: string,
  paths: Paths,
  content: StagedContent,
): Promise<void> {
  using destination = paths.destination(path);
  await atomicWrite(destination, content);
}

/** The answer to who writes to what was opened for reading, or reads what was to be written. */
export function notOpenFor(handleId: string, use: "reading" | "writing") {
  return invalidRequest(`file handle \`${handleId}\` is not open for ${use}`);
}
