import type { FileHandle } from "node:fs/promises";
import { writeFully } from "./transfer.ts";

/**
 * Makes an open regular file hold these bytes and nothing else, in place.
 *
 * What goes past its end is written first: that is what a full disk or a quota refuses, and then
 * the file gets its old length back and nothing has been lost.
 */
export async function overwriteFile(file: FileHandle, bytes: Uint8Array): Promise<void> {
  const { size } = await file.stat();
  if (bytes.length > size) {
    try {
      await writeFully(file, bytes.subarray(size), size);
    } catch (error) {
      await file.truncate(size);
      throw error;
    }
  }
  await writeFully(file, bytes.subarray(0, size), 0);
  if (bytes.length < size) await file.truncate(bytes.length);
}
