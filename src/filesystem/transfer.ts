import type { FileHandle } from "node:fs/promises";

/** Characters that are decoded at a time, a multiple of four. */
const PIECE_CHARS = 1024 * 1024;
/** The same where the bytes are of no use: a buffer that stays in the processor's cache. */
const CHECKED_CHARS = 64 * 1024;

/**
 * Decodes base64 piece by piece, so that a long text needs little room. A piece is overwritten when
 * the next but one is asked for.
 *
 * @throws {SyntaxError} at a piece that is not standard base64 with padding (RFC 4648, section 4)
 */
export function* base64Pieces(
  text: string,
  pieceChars = PIECE_CHARS,
): Generator<Uint8Array<ArrayBuffer>, void> {
  const size = Math.floor(Math.min(pieceChars, text.length) / 4 * 3);
  let [piece, other] = [new Uint8Array(size), new Uint8Array(size)];
  for (let from = 0; from < text.length; from += pieceChars) {
    const chars = text.slice(from, from + pieceChars);
    yield decodePiece(chars, from + pieceChars >= text.length, piece);
    [piece, other] = [other, piece];
  }
}

/** Whether a text is standard base64 with padding. */
export function isBase64(text: string): boolean {
  try {
    for (const _ of base64Pieces(text, CHECKED_CHARS));
    return true;
  } catch {
    return false;
  }
}

function decodePiece(
  chars: string,
  isLast: boolean,
  buffer: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const { written } = buffer.setFromBase64(chars, { lastChunkHandling: "strict" });
  // The decoder skips white space, which RFC 4648 section 3.3 forbids: it would be missing here.
  const padding = isLast ? paddingOf(chars) : 0;
  if (written !== chars.length / 4 * 3 - padding) throw new SyntaxError("not standard base64");
  return buffer.subarray(0, written);
}

function paddingOf(chars: string): number {
  return chars.endsWith("==") ? 2 : chars.endsWith("=") ? 1 : 0;
}

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
