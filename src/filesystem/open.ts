import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { invalidRequest, type RpcError } from "../protocol/errors.ts";
import { isNotFound, systemErrorCode } from "./io_error.ts";

// Deno.open waits for the other end of a FIFO, and the whole program waits with it. Whether a path
// leads to one cannot be told before without somebody changing it: so no opening here waits.

/** A file that is open for reading. */
export interface RegularFile {
  readonly file: FileHandle;
  /** In bytes, when it was opened; 0 for those of /proc, which do not tell. */
  readonly size: number;
}

/**
 * Opens a file for reading, through symbolic links.
 *
 * @param name what the client calls it
 * @throws {RpcError} -32600 if the path leads to something else than a regular file
 */
export async function openRegularFile(path: string, name = path): Promise<RegularFile> {
  // To open a device may already do something to it.
  if ((await Deno.stat(path)).isFile) {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await file.stat();
    if (stats.isFile()) return { file, size: stats.size };
    await file.close();
  }
  throw notRegular(name);
}

/** The answer to who wants to read or write something else than a regular file. */
export function notRegular(name: string): RpcError {
  return invalidRequest(`path \`${name}\` is not a file`);
}

/**
 * Opens a regular file for writing, through symbolic links.
 *
 * @param name what the client calls it
 * @returns undefined if there is nothing
 * @throws {RpcError} -32600 if the path leads to a FIFO, a socket or a device
 * @throws the system's error, also for a directory
 */
export async function openForWriting(path: string, name: string): Promise<FileHandle | undefined> {
  try {
    // To open a device may already do something to it. A directory the system itself refuses.
    const { isFile, isDirectory } = await Deno.stat(path);
    if (!isFile && !isDirectory) throw notRegular(name);
    const file = await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    // It has become a FIFO that nobody reads, or a socket.
    if (systemErrorCode(error) !== "ENXIO") throw error;
  }
  throw notRegular(name);
}
