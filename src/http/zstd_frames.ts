import { concat } from "@std/bytes/concat";
import { HttpFailure } from "./request.ts";
import type { ResponseBody } from "./response.ts";

const FRAME = 0xfd2fb528;
/** The first of the sixteen numbers that frames to be skipped begin with. */
const SKIPPABLE_FRAME = 0x184d2a50;

const CHECKSUM_BYTES = 4;
const BLOCK_HEADER_BYTES = 3;
const RUN_LENGTH_BLOCK = 1;
const RESERVED_BLOCK = 3;

/**
 * The frames of a body in zstd (RFC 8878, section 3.1), without those that are to be skipped. Each is
 * iterated to its end before the next.
 *
 * @throws {HttpFailure} when the body ends within a frame, or is something else
 */
export async function* zstdFrames(body: ResponseBody): AsyncGenerator<ResponseBody, void, void> {
  const parts = new Parts(body);
  while (!await parts.atEnd()) {
    const start = await parts.exactly(4);
    const magic = littleEndian(start);
    if (magic === FRAME) {
      yield frame(start, parts);
    } else if (magic - magic % 16 === SKIPPABLE_FRAME) {
      const length = littleEndian(await parts.exactly(4));
      for await (const _skipped of parts.upTo(length));
    } else {
      throw new HttpFailure("the body has something else than frames of zstd");
    }
  }
}

async function* frame(start: Uint8Array<ArrayBuffer>, parts: Parts): ResponseBody {
  yield start;
  const descriptor = await parts.exactly(1);
  yield descriptor;
  const [flags = 0] = descriptor;
  yield await parts.exactly(headerRest(flags));
  for (let last = false; !last;) {
    const header = await parts.exactly(BLOCK_HEADER_BYTES);
    yield header;
    const fields = littleEndian(header);
    last = (fields & 1) === 1;
    const type = (fields >>> 1) & 3;
    // The decoder would refuse it, too, but with a length that means nothing.
    if (type === RESERVED_BLOCK) throw new HttpFailure("a block of zstd has an unknown type");
    yield* parts.upTo(type === RUN_LENGTH_BLOCK ? 1 : fields >>> 3);
  }
  const hasChecksum = (flags & 0b100) !== 0;
  if (hasChecksum) yield await parts.exactly(CHECKSUM_BYTES);
}

/** How many bytes of a frame's header follow its descriptor (section 3.1.1.1). */
function headerRest(flags: number): number {
  const singleSegment = (flags & 0b10_0000) !== 0;
  const window = singleSegment ? 0 : 1;
  const dictionary = [0, 1, 2, 4][flags & 3] ?? 0;
  const contentSize = [singleSegment ? 1 : 0, 2, 4, 8][flags >>> 6] ?? 0;
  return window + dictionary + contentSize;
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((number, byte) => number * 256 + byte, 0);
}

/** Reads a body by parts whose lengths are known. */
class Parts {
  readonly #body: ResponseBody;
  #unread = new Uint8Array(0);

  constructor(body: ResponseBody) {
    this.#body = body;
  }

  /** Whether nothing comes any more; waits until that can be told. */
  async atEnd(): Promise<boolean> {
    while (this.#unread.length === 0) {
      const next = await this.#body.next();
      if (next.done) return true;
      this.#unread = next.value;
    }
    return false;
  }

  /** So many bytes, in the pieces in which they come. */
  async *upTo(length: number): ResponseBody {
    for (let missing = length; missing > 0;) {
      if (await this.atEnd()) throw new HttpFailure("the body ended within a frame of zstd");
      const piece = this.#unread.subarray(0, missing);
      this.#unread = this.#unread.subarray(piece.length);
      missing -= piece.length;
      yield piece;
    }
  }

  /** So many bytes, together. */
  async exactly(length: number): Promise<Uint8Array<ArrayBuffer>> {
    return concat(await Array.fromAsync(this.upTo(length)));
  }
}
