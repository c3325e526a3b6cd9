import { abortable } from "@std/async/abortable";
import { ConnectionError } from "../client/mod.ts";
import { PERMISSION_BITS } from "../protocol/filesystem.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import {
  type Attributes,
  type BlockReader,
  type BlockWriter,
  type FileEnd,
  isZero,
  type NewAttributes,
  ProgressLost,
  SMALL_FILE_BYTES,
} from "./end.ts";

/** How a file is copied. */
export interface CopyOptions {
  /** Told of bytes that have arrived. */
  readonly arrived: (bytes: number) => void;
  /** Aborted when nobody wants the copy any more; what can be gone on with is left. */
  readonly signal: AbortSignal;
}

/** A file, and where it is. */
export interface FileAt {
  readonly end: FileEnd;
  readonly path: PathUri;
}

/** Bytes that are read or written at a time. */
const BLOCK_BYTES = 192 * 1024;
/** Blocks under way at the same time: no more than 7.5 MiB are copied in one round trip. */
const WINDOW = 40;

/**
 * Copies a file with its permissions and its time.
 *
 * A large one that stops halfway, as the signal aborted or an executor was lost for good, is left to be
 * gone on with; of any other failure nothing is left.
 *
 * @param known what the file was before
 */
export async function copyFile(
  from: FileAt,
  known: Attributes,
  to: FileAt,
  options: CopyOptions,
): Promise<void> {
  const attributes = keptAttributes(known);
  if (known.size > SMALL_FILE_BYTES) return await copyLarge(from, known, to, attributes, options);
  const bytes = await from.end.readFile(from.path);
  options.signal.throwIfAborted();
  // It has grown, or is one of those in /proc that say they are empty.
  if (bytes === undefined) {
    return await writeStream(readStream(from, known), to, options, attributes);
  }
  await to.end.writeFile(to.path, bytes, attributes);
  options.arrived(bytes.length);
}

/** What of a file's attributes a copy gets: whose it is it does not keep. */
export function keptAttributes({ permissions, modifiedAtMs }: Attributes): NewAttributes {
  return {
    modifiedAtMs,
    permissions: permissions === undefined ? undefined : permissions & PERMISSION_BITS,
  };
}

async function copyLarge(
  from: FileAt,
  known: Attributes,
  to: FileAt,
  attributes: NewAttributes,
  options: CopyOptions,
): Promise<void> {
  const { size, modifiedAtMs } = known;
  await using reader = await from.end.openToRead(from.path, known);
  const key = `${size} ${modifiedAtMs} ${from.end.describe(from.path)}`;
  for (;;) {
    const writer = await to.end.openToWrite(to.path, key);
    let counted = 0;
    const arrived = (bytes: number) => {
      counted += bytes;
      options.arrived(bytes);
    };
    try {
      const start = Math.min(writer.size, size);
      arrived(start);
      await copyBlocks(reader, { start, size }, writer, { ...options, arrived });
      await writer.commit(size, attributes);
      return;
    } catch (error) {
      if (error instanceof ProgressLost) {
        arrived(-counted);
        continue;
      }
      if (!mayGoOn(error, options)) await writer.discard();
      throw error;
    }
  }
}

/** Whether a later run may go on with what has been written. */
function mayGoOn(error: unknown, { signal }: CopyOptions): boolean {
  return signal.aborted || error instanceof ConnectionError;
}

async function copyBlocks(
  reader: BlockReader,
  { start, size }: { readonly start: number; readonly size: number },
  writer: BlockWriter,
  { arrived, signal }: CopyOptions,
): Promise<void> {
  const sender = new BlockSender(writer, arrived);
  try {
    for (let at = start; at < size; at += BLOCK_BYTES) {
      signal.throwIfAborted();
      const length = Math.min(BLOCK_BYTES, size - at);
      const block = reader.read(at, length).then((bytes) => {
        if (bytes.length === length) return bytes;
        throw new Error("it has become shorter while it was copied");
      });
      await sender.send(at, block, at + length === size);
    }
  } finally {
    await sender.settled();
  }
}

/** Writes what comes in pieces, of which nobody can say how many there will be. */
export async function writeStream(
  stream: AsyncIterable<Uint8Array<ArrayBuffer>>,
  to: FileAt,
  { arrived, signal }: CopyOptions,
  attributes: NewAttributes = {},
): Promise<void> {
  // What has come once does not come again: no later run could go on with it.
  const writer = await to.end.openToWrite(to.path, crypto.randomUUID());
  const sender = new BlockSender(writer, arrived);
  let size = 0;
  try {
    try {
      for await (const bytes of inBlocks(stream, signal)) {
        await sender.send(size, Promise.resolve(bytes), true);
        size += bytes.length;
      }
    } finally {
      await sender.settled();
    }
    await writer.commit(size, attributes);
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

/** @throws the signal's reason, also while nothing comes */
async function* inBlocks(
  stream: AsyncIterable<Uint8Array<ArrayBuffer>>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const pieces = stream[Symbol.asyncIterator]();
  let block = new Uint8Array(BLOCK_BYTES);
  let length = 0;
  for (;;) {
    const piece = await abortable(pieces.next(), signal);
    if (piece.done === true) break;
    for (let rest = piece.value; rest.length > 0;) {
      const part = rest.subarray(0, BLOCK_BYTES - length);
      block.set(part, length);
      length += part.length;
      rest = rest.subarray(part.length);
      if (length < BLOCK_BYTES) continue;
      yield block;
      block = new Uint8Array(BLOCK_BYTES);
      length = 0;
    }
  }
  if (length > 0) yield block.subarray(0, length);
}

/** Reads a file to its end, whose place need not be known, and gives it in order. */
export async function* readStream(
  { end, path }: FileAt,
  known: Attributes,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  await using reader = await end.openToRead(path, known);
  const ahead: Promise<Uint8Array<ArrayBuffer>>[] = [];
  for (let at = 0;;) {
    // Those of /proc say that they are empty.
    while (ahead.length < (at < known.size ? WINDOW : 1)) {
      const block = reader.read(at, BLOCK_BYTES);
      block.catch(() => {});
      ahead.push(block);
      at += BLOCK_BYTES;
    }
    const bytes = await ahead.shift();
    if (bytes === undefined || bytes.length === 0) return;
    yield bytes;
    if (bytes.length < BLOCK_BYTES) return;
  }
}

/** Sends blocks in order, several at a time, and none that is nothing but zeros. */
class BlockSender {
  readonly #writer: BlockWriter;
  readonly #arrived: (bytes: number) => void;
  readonly #underWay = new Set<Promise<void>>();
  #lastIssued: Promise<unknown> = Promise.resolve();
  #failure: { readonly offset: number; readonly error: unknown } | undefined;

  constructor(writer: BlockWriter, arrived: (bytes: number) => void) {
    this.#writer = writer;
    this.#arrived = arrived;
  }

  /**
   * Sends a block. Settles when another may follow.
   *
   * @param last whether the file's length depends on it
   * @throws what an earlier block failed of
   */
  async send(
    offset: number,
    block: Promise<Uint8Array<ArrayBuffer>>,
    last: boolean,
  ): Promise<void> {
    const issued = Promise.all([block, this.#lastIssued])
      .then(([bytes]) => ({ bytes, written: this.#write(offset, bytes, last) }));
    this.#lastIssued = issued;
    const arrival = issued.then(async ({ bytes, written }) => {
      await written;
      this.#arrived(bytes.length);
    });
    const settled = arrival
      .catch((error: unknown) => this.#failed(offset, error))
      .then(() => {
        this.#underWay.delete(settled);
      });
    this.#underWay.add(settled);
    if (this.#underWay.size >= WINDOW) await Promise.race(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Settles when all blocks have been answered for. @throws what one failed of */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** The first block that failed tells why; those after it fail of that, and may be answered before. */
  #failed(offset: number, error: unknown): void {
    if (this.#failure === undefined || offset < this.#failure.offset) {
      this.#failure = { offset, error };
    }
  }

  async #write(offset: number, bytes: Uint8Array<ArrayBuffer>, last: boolean): Promise<void> {
    if (!isZero(bytes)) return await this.#writer.write(offset, bytes);
    // What nobody writes to is a hole, which reads as zeros. The last byte says how long the file is.
    if (last) await this.#writer.write(offset + bytes.length - 1, bytes.subarray(-1));
  }
}
