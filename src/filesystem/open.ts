import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { delay } from "@std/async/delay";
import { invalidRequest, type RpcError } from "../protocol/errors.ts";
import { isNotFound, systemErrorCode } from "./io_error.ts";

/** How often a FIFO is looked at that has no reader, in milliseconds. */
const READER_CHECK_MS = 10;

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

/** The answer to who wants to read something else than a regular file. */
export function notRegular(name: string): RpcError {
  return invalidRequest(`path \`${name}\` is not a file`);
}

/**
 * Opens what a path leads to for writing, and waits for a FIFO's reader.
 *
 * @returns undefined if there is nothing
 */
export async function openForWriting(
  path: string,
  signal?: AbortSignal,
): Promise<FileHandle | undefined> {
  for (;;) {
    try {
      return await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      if (systemErrorCode(error) !== "ENXIO" || !(await Deno.stat(path)).isFifo) throw error;
    }
    await delay(READER_CHECK_MS, { ...(signal && { signal }) });
  }
}
