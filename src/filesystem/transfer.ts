import type { FileHandle } from "node:fs/promises";
import { base64Pieces } from "./base64_pieces.ts";

/**
 * Reads until the buffer is full or the file ends, from a position, or else from where the last
 * read ended. Returns how many bytes were read.
 */
export async function readFully(
  file: FileHandle,
  buffer: Uint8Array,
  position?: number,
): Promise<number> {
  let count = 0;
  while (count < buffer.length) {
    const from = position === undefined ? null : position + count;
    const { bytesRead } = await file.read(buffer, count, buffer.length - count, from);
    if (bytesRead === 0) break;
    count += bytesRead;
  }
  return count;
}

/**
 * A file that is read at any place, by several at a time. The runtime reads at a place by moving the
 * file's position there, so that reads take turns.
 */
export class PlaceReader implements AsyncDisposable {
  readonly #file: FileHandle;
  #last: Promise<unknown> = Promise.resolve();

  /** @param file is used for nothing else, and closed with this */
  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Up to `length` bytes from `offset` on: fewer, or none, at the end of the file. */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const reading = this.#last.then(async () => {
      const buffer = new Uint8Array(length);
      return buffer.subarray(0, await readFully(this.#file, buffer, offset));
    });
    this.#last = reading.catch(() => {});
    return reading;
  }

  /** Closes the file once the reads before are done. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last;
    await this.#file.close();
  }
}

/** Writes all of the bytes to a regular file, from a position on. */
export async function writeFully(
  file: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let count = 0; count < bytes.length;) {
    const rest = bytes.length - count;
    count += (await file.write(bytes, count, rest, position + count)).bytesWritten;
  }
}

/**
 * Writes what a text in base64 stands for to a new file. Decodes a piece while one is written.
 *
 * @param written is told of pieces that have been written while others follow
 */
export async function writeBase64(
  file: Deno.FsFile,
  text: string,
  written?: () => void,
): Promise<void> {
  let writing: Promise<void> | undefined;
  for (const piece of base64Pieces(text)) {
    if (writing !== undefined) {
      await writing;
      written?.();
    }
    writing = writeOn(file, piece);
  }
  await writing;
}

/** Writes all of the bytes from where the last write ended. */
export async function writeOn(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await file.write(rest));
}
