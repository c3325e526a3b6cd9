import { memoryLimit } from "../native/memory_limit.ts";
import { invalidRequest } from "../protocol/errors.ts";
import type { Params, ResultInput } from "../protocol/methods.ts";
import { openRegularFile } from "./open.ts";
import { hostPath } from "./named.ts";
import type { Paths } from "./paths.ts";
import { plainPaths } from "./plain_paths.ts";
import { readFully } from "./transfer.ts";

/** Bytes of the largest file that is read whole: as base64 it must fit one string of the runtime. */
export const MAX_READ_FILE_BYTES = 256 * 1024 * 1024;
/** Files of up to so many bytes are read however little memory there is. */
const SMALL_FILE_BYTES = 8 * 1024 * 1024;
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
export async function readFile(
  { path }: Params<"fs/readFile">,
  signal?: AbortSignal,
  paths: Paths = plainPaths,
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
  if (size <= SMALL_FILE_BYTES) return;
  const share = Math.max(SMALL_FILE_BYTES, Math.floor(memoryLimit() * MEMORY_SHARE));
  const limit = Math.min(MAX_READ_FILE_BYTES, share);
  if (size <= limit) return;
  throw invalidRequest(`file is too large to read: limit is ${limit} bytes`);
}
