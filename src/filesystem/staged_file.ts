import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "@std/path";
import type * as z from "zod/mini";
import { closeDescriptor, type Descriptor } from "../os/descriptor.ts";
import { Open, openAt, pathTo } from "../os/open_at.ts";
import { ErrorCode, invalidRequest, RpcError } from "../protocol/errors.ts";
import type { openFailure } from "../protocol/filesystem.ts";
import { isNotFound, systemErrorCode } from "./io_error.ts";
import { notRegular } from "./open.ts";
import { remove } from "./named.ts";
import { existingPartial, newPartial, type PartialName, partialName } from "./partial_file.ts";
import type { Destination, Paths } from "./paths.ts";
import { atomicWrite, type StagedContent } from "./atomic_write.ts";
import { writeFully } from "./transfer.ts";
import { type NewAttributes, usualPermissions } from "./attributes.ts";
import { NEW_FILE_MODE } from "./temp_file.ts";

/** What is done with a staged file in the end. */
export interface StagedEnd {
  /** Makes the file that it was staged for hold this content. */
  readonly store: (content: StagedContent, attributes: NewAttributes) => Promise<void>;
  /** Takes the name away that it has meanwhile, if it has one. */
  readonly discard?: () => Promise<void>;
}

/** A file that is open, and what leads to it. */
interface Staging {
  readonly path: string;
  readonly file: FileHandle;
  /** Frees what is left of it once it is closed. */
  readonly release: () => Promise<void> | void;
}

/**
 * What is to become a file's whole content: written to a file without a name, of which nothing is
 * left unless it is committed, however this program ends. One that is to be resumed has a name
 * meanwhile, see `partial_file.ts`, and is left unless it is committed or discarded.
 */
export class StagedFile implements AsyncDisposable {
  readonly #staging: Staging;
  readonly #linkable: boolean;
  readonly #end: StagedEnd;
  /** Bytes that were there when it was opened. */
  readonly size: number;
  #last: Promise<void> = Promise.resolve();

  private constructor(staging: Staging, linkable: boolean, end: StagedEnd, size: number) {
    this.#staging = staging;
    this.#linkable = linkable;
    this.#end = end;
    this.size = size;
  }

  /**
   * @param beside what {@linkcode stageBeside} or {@linkcode resumeBeside} gave, which is closed
   * with this
   */
  static async create(beside: Descriptor | undefined, end: StagedEnd): Promise<StagedFile> {
    const alone = end.discard !== undefined;
    const staging = beside === undefined ? await elsewhere() : await held(beside, alone);
    return new StagedFile(staging, beside !== undefined, end, (await staging.file.stat()).size);
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
  async commit(attributes: NewAttributes = {}): Promise<void> {
    await this.#last;
    const source = this.#staging.path;
    await this.#end.store({ kind: "staged", source, linkable: this.#linkable }, attributes);
  }

  /** Gives up what was written: nothing is left of it. */
  async discard(): Promise<void> {
    await this.#last.catch(() => {});
    await this.#end.discard?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last.catch(() => {});
    await this.#staging.file.close();
    await this.#staging.release();
  }
}

/** @param alone whether nobody else may have it open so at the same time */
async function held(descriptor: Descriptor, alone = false): Promise<Staging> {
  await using opened = new AsyncDisposableStack();
  opened.defer(() => closeDescriptor(descriptor));
  const path = pathTo(descriptor);
  if (alone) lockAlone(opened.use(await Deno.open(path, { read: true, write: true })));
  const file = await open(path, constants.O_RDWR);
  const kept = opened.move();
  return { path, file, release: () => kept.disposeAsync() };
}

/** @throws {RpcError} -32600, with `reason` `inUse` in its data, if somebody else has locked it */
function lockAlone(file: Deno.FsFile): void {
  try {
    if (file.tryLockSync(true)) return;
  } catch {
    // The file system knows no locks.
    return;
  }
  const inUse: z.infer<typeof openFailure> = { reason: "inUse" };
  const message = "the same is being written there already";
  throw new RpcError(ErrorCode.InvalidRequest, message, { data: inUse });
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
  return await besideIt(path, destination, async (name) => {
    await using created = await destination.createNameless(`${dirname(name)}/`, NEW_FILE_MODE);
    return openAt(-1, created.path, Open.ReadWrite);
  });
}

/**
 * The same for what is to be resumed: the file in which that stopped, or a new one, has a name in
 * that directory until it is committed or discarded. Linux only, undefined elsewhere.
 *
 * @param key names the content
 */
export async function resumeBeside(
  path: string,
  paths: Paths,
  key: string,
): Promise<Descriptor | undefined> {
  if (Deno.build.os !== "linux") return undefined;
  using destination = paths.destination(path);
  return await besideIt(path, destination, async (name) => {
    const partial = partialName(name, key);
    return await existingPartial(partial) ?? await newPartial(partial);
  });
}

/** Takes the name away that {@linkcode resumeBeside} has given. */
export async function discardResumable(path: string, paths: Paths, key: string): Promise<void> {
  using destination = paths.destination(path);
  await using file = await destination.open();
  const name = await nameThere(destination, file);
  if (name !== undefined) await removePartial(partialName(name, key));
}

async function removePartial({ path }: PartialName): Promise<void> {
  try {
    await remove(path, false);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Creates something beside the file that is to be written. */
async function besideIt(
  path: string,
  destination: Destination,
  create: (name: string) => Promise<Descriptor>,
): Promise<Descriptor | undefined> {
  const there = await whatIsThere(destination);
  // To open a FIFO would be to wait for its reader.
  if (there !== undefined && !there.isFile && !there.isDirectory) throw notRegular(path);
  await using file = await destination.open();
  const name = await nameThere(destination, file);
  if (name === undefined) return undefined;
  if (file === undefined) await Deno.stat(dirname(name));
  try {
    return await create(name);
  } catch (error) {
    if (systemErrorCode(error) === "EMFILE" || file === undefined && isDenied(error)) throw error;
    return undefined;
  }
}

async function nameThere(
  destination: Destination,
  file: FileHandle | undefined,
): Promise<string | undefined> {
  return file === undefined
    ? await destination.newName()
    : await destination.nameOf(await file.stat());
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

/**
 * Commits what was staged for a path.
 *
 * @param key what {@linkcode resumeBeside} was given, if it was asked
 * @throws the system's error, or RpcError
 */
export async function storeStaged(
  path: string,
  paths: Paths,
  content: StagedContent,
  attributes: NewAttributes,
  key?: string,
): Promise<void> {
  using destination = paths.destination(path);
  if (key === undefined) return await atomicWrite(destination, content, undefined, attributes);
  await using file = await destination.open();
  const name = await nameThere(destination, file);
  // The unfinished file is private.
  const permissions = attributes.permissions ??
    (file === undefined ? usualPermissions() : undefined);
  await atomicWrite(destination, content, undefined, { ...attributes, permissions });
  if (name !== undefined) await removePartial(partialName(name, key));
}

/** The answer to who writes to what was opened for reading, or reads what was to be written. */
export function notOpenFor(handleId: string, use: "reading" | "writing") {
  return invalidRequest(`file handle \`${handleId}\` is not open for ${use}`);
}
