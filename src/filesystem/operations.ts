import { memoryLimit } from "../os/memory.ts";
import { invalidRequest } from "../protocol/errors.ts";
import type { Method, Params, ResultInput } from "../protocol/methods.ts";
import { isBase64, readFully } from "./transfer.ts";
import { copy } from "./copy.ts";
import { isNotFound, systemErrorCode, toRpcError } from "./io_error.ts";
import { hostPath, uriOf } from "./named.ts";
import { openRegularFile } from "./open.ts";
import type { Paths } from "./paths.ts";
import { plainPaths } from "./plain_paths.ts";
import { readDirectory } from "./read_directory.ts";
import { list, makeSymbolicLink, setAttributes, stat } from "./attributes.ts";
import { atomicWrite } from "./atomic_write.ts";
import { walk } from "./walk.ts";

/**
 * Does what a request about files asks for. It throws the system's errors and RpcError.
 *
 * @param signal aborted when nobody waits for the result any more: the work then ends where that
 * leaves no file half written
 * @param paths follows the request's paths and knows what may be done there, whatever the request's
 * own `sandbox` says
 */
export type FileFunction<M extends Method> = (
  params: Params<M>,
  signal: AbortSignal | undefined,
  paths: Paths,
) => Promise<ResultInput<M>>;

/**
 * The requests about paths, with what does them. Requests about handles are methods of `FileHandles`.
 *
 * To add a request, add its row to the table of methods in the protocol and its function here.
 */
const functions = {
  "fs/readFile": readFile,
  "fs/writeFile": writeFile,
  "fs/createDirectory": createDirectory,
  "fs/getMetadata": getMetadata,
  "fs/canonicalize": canonicalize,
  "fs/readDirectory": readDirectory,
  "fs/walk": walk,
  "fs/remove": remove,
  "fs/copy": copy,
  "fs/stat": stat,
  "fs/list": list,
  "fs/setAttributes": setAttributes,
  "fs/symlink": makeSymbolicLink,
} as const;

/** The name of a request about paths. */
export type FileMethod = keyof typeof functions;

const table: { readonly [M in FileMethod]: FileFunction<M> } = functions;

/** The names of all requests about paths. */
export const fileMethods: readonly FileMethod[] = Object.keys(functions).filter(isFileMethod);

/** Whether a method is a request about paths. */
export function isFileMethod(method: string): method is FileMethod {
  return Object.hasOwn(functions, method);
}

/** Does requests about files, with the rights that somebody has. */
export type PerformFileMethod = <M extends FileMethod>(
  method: M,
  params: Params<M>,
  signal?: AbortSignal,
) => Promise<ResultInput<M>>;

/** How often a request is tried for which there was no descriptor. */
const MAX_ATTEMPTS = 5;

/**
 * Does a request about paths.
 *
 * @param paths see {@linkcode FileFunction}. @default everything that this process may do
 * @throws {RpcError} -32600 for what the path does not allow, -32602 for one that is not native to
 * this host, -32004, -32603
 */
export async function performFileMethod<M extends FileMethod>(
  method: M,
  params: Params<M>,
  signal?: AbortSignal,
  paths: Paths = plainPaths,
): Promise<ResultInput<M>> {
  const perform: FileFunction<M> = table[method];
  for (let attempt = 1;; attempt++) {
    try {
      return await perform(params, signal, paths);
    } catch (error) {
      // The limit is lowered while a command is started, and no longer by now.
      const lacksDescriptors = systemErrorCode(error) === "EMFILE";
      if (!lacksDescriptors || attempt === MAX_ATTEMPTS) throw toRpcError(error);
    }
  }
}

/** `fs/canonicalize`: the path without symbolic links that leads to the same place. */
async function canonicalize(
  { path }: Params<"fs/canonicalize">,
  _signal: AbortSignal | undefined,
  paths: Paths,
): Promise<ResultInput<"fs/canonicalize">> {
  const real = await paths.canonical(hostPath(path));
  return { path: uriOf(real).toString() };
}

/**
 * `fs/createDirectory`: one directory, or with `recursive` also those above it that are missing.
 * Only then may it be there already.
 */
async function createDirectory(
  { path, recursive }: Params<"fs/createDirectory">,
  _signal: AbortSignal | undefined,
  paths: Paths,
): Promise<ResultInput<"fs/createDirectory">> {
  await paths.makeDirectory(hostPath(path), recursive);
  return {};
}

/** `fs/getMetadata`: what a path leads to, and whether it is itself a symbolic link. */
async function getMetadata(
  { path }: Params<"fs/getMetadata">,
  _signal: AbortSignal | undefined,
  paths: Paths,
): Promise<ResultInput<"fs/getMetadata">> {
  const native = hostPath(path);
  using object = paths.object(native, "look");
  using entry = paths.entry(native, "look");
  const itself = await entry.stat();
  const target = itself.isSymlink ? await object.stat() : itself;
  return {
    isDirectory: target.isDirectory,
    isFile: target.isFile,
    isSymlink: itself.isSymlink,
    size: target.size,
    createdAtMs: target.birthtime?.getTime() ?? 0,
    modifiedAtMs: target.mtime?.getTime() ?? 0,
  };
}

/** Bytes of the largest file that is read whole: as base64 it must fit one string of the runtime. */
export const MAX_READ_FILE_BYTES = 256 * 1024 * 1024;
/** Files of up to so many bytes are read however little memory there is. */
const ALWAYS_READ_BYTES = 8 * 1024 * 1024;
/** The share of the memory that a file may have: it is there up to five times until it is sent. */
const MEMORY_SHARE = 1 / 32;

/**
 * Bytes that are read and encoded at a time, so that other requests get their turn in between.
 * A multiple of three: the base64 of each piece then continues that of the one before.
 */
const PIECE_BYTES = 1536 * 1024;
/** The same for small files, among them those of /proc, which say that their size is 0. */
const SMALL_PIECE_BYTES = 60 * 1024;

/** `fs/readFile`: all of a regular file. */
async function readFile(
  { path }: Params<"fs/readFile">,
  signal: AbortSignal | undefined,
  paths: Paths,
): Promise<ResultInput<"fs/readFile">> {
  const native = hostPath(path);
  using place = paths.object(native, "read");
  const { file, size } = await openRegularFile(place.path, native);
  await using _closing = file;
  refuseLarge(size);
  // One byte more than there is, if it fits, so that the end is seen at once.
  const whole = Math.max(SMALL_PIECE_BYTES, Math.ceil((size + 1) / 3) * 3);
  const piece = new Uint8Array(Math.min(PIECE_BYTES, whole));
  let dataBase64 = "";
  for (let total = 0;;) {
    signal?.throwIfAborted();
    const count = await readFully(file, piece);
    total += count;
    // Files grow, and those of /proc do not know how long they are.
    if (total > size) refuseLarge(total);
    dataBase64 += piece.subarray(0, count).toBase64();
    if (count < piece.length) return { dataBase64 };
  }
}

function refuseLarge(size: number): void {
  if (size <= ALWAYS_READ_BYTES) return;
  const share = Math.max(ALWAYS_READ_BYTES, Math.floor(memoryLimit() * MEMORY_SHARE));
  const limit = Math.min(MAX_READ_FILE_BYTES, share);
  if (size <= limit) return;
  throw invalidRequest(`file is too large to read: limit is ${limit} bytes`);
}

/**
 * `fs/remove`: a file, a symbolic link (never its target) or a directory; one that is not empty
 * only with `recursive`. With `force` there need not be anything.
 */
async function remove(
  { path, recursive, force }: Params<"fs/remove">,
  signal: AbortSignal | undefined,
  paths: Paths,
): Promise<ResultInput<"fs/remove">> {
  try {
    await paths.remove(hostPath(path), recursive, signal);
  } catch (error) {
    if (!force || !isNotFound(error)) throw error;
  }
  return {};
}

/**
 * `fs/writeFile`: makes a file hold these bytes and nothing else, complete or not at all; see
 * {@linkcode atomicWrite}.
 */
async function writeFile(
  { path, dataBase64, permissions, modifiedAtMs }: Params<"fs/writeFile">,
  signal: AbortSignal | undefined,
  paths: Paths,
): Promise<ResultInput<"fs/writeFile">> {
  try {
    using destination = paths.destination(hostPath(path));
    const attributes = { permissions, modifiedAtMs };
    await atomicWrite(destination, { kind: "base64", text: dataBase64 }, signal, attributes);
    return {};
  } catch (error) {
    // It is decoded while it is written, and nothing has come of that; but whatever else is wrong,
    // this is told first.
    if (isBase64(dataBase64)) throw error;
    throw invalidRequest("`dataBase64` is not standard base64 with padding");
  }
}
