import type { FileHandle } from "node:fs/promises";
import { systemErrorCode } from "./io_error.ts";
import { readFully } from "./transfer.ts";

/**
 * A file open for reading at any place, by several at a time.
 *
 * The runtime reads at a place by moving the file's position there, so that reads take turns.
 */
export class OpenFile {
  readonly #file: FileHandle;
  #lastRead: Promise<unknown> = Promise.resolve();

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Up to `length` bytes from `offset` on: fewer, or none, at the end of the file. */
  readAt(offset: number, length: number): Promise<Uint8Array> {
    const reading = this.#lastRead.then(() => this.#read(offset, length));
    this.#lastRead = reading.catch(() => {});
    return reading;
  }

  /** Closes the file once the reads before are done. */
  async close(): Promise<void> {
    await this.#lastRead;
    await this.#file.close();
  }

  async #read(offset: number, length: number): Promise<Uint8Array> {
    const buffer = new Uint8Array(length);
    try {
      return buffer.subarray(0, await readFully(this.#file, buffer, offset));
    } catch (error) {
      // Past the largest file that the file system could hold (lseek(2)).
      if (systemErrorCode(error) === "EINVAL") return new Uint8Array();
      throw error;
    }
  }
}
