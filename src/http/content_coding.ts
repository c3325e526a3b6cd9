import type { Transform } from "node:stream";
import type { ResponseBody, ResponseHead } from "./response.ts";
import { type Header, HttpFailure } from "./request.ts";
import { zstdFrames } from "./zstd_frames.ts";

/** The content codings that are decoded, as Accept-Encoding names them (RFC 9110, section 12.5.3). */
export const DECODED_CODINGS = "gzip, deflate, br, zstd";

/** What makes the pieces of a body, of which there is at least one, into those that were coded. */
type Decode = (coded: ResponseBody, first: Uint8Array) => ResponseBody;

/** RFC 9110, section 8.4.1; RFC 7932 for br and RFC 8878 for zstd. */
const DECODINGS: ReadonlyMap<string, Decode> = new Map([
  ["gzip", gunzip],
  ["x-gzip", gunzip],
  ["deflate", inflate],
  ["br", decodeBrotli],
  ["zstd", decodeZstd],
]);

/**
 * The logarithm of the largest window, in bytes, that a body in zstd may ask memory for (RFC 9659).
 * It is per response.
 */
const ZSTD_WINDOW_LOG_MAX = 23;

/** How many bytes a decoder makes at once: as many as come from a connection that is not coded. */
const CHUNK_BYTES = 64 * 1024;

/**
 * A response as it was before its one content coding, without the headers that tell of it. One with an
 * unknown coding or several stays as it came.
 *
 * @param signal ends the decoding when it aborts
 */
export function decodedResponse(
  { status, headers }: ResponseHead,
  body: ResponseBody,
  signal: AbortSignal,
): ResponseHead & { readonly body: ResponseBody } {
  const decode = DECODINGS.get(contentCoding(headers));
  if (decode === undefined) return { status, headers, body };
  return {
    status,
    headers: headers.filter(({ name }) => name !== "content-encoding" && name !== "content-length"),
    body: decoded(body, decode, signal),
  };
}

/** All that Content-Encoding names, in lower case. */
function contentCoding(headers: readonly Header[]): string {
  const named = headers.filter(({ name }) => name === "content-encoding");
  return named.map(({ value }) => value.toLowerCase()).join(", ");
}

/** Decodes as fast as it is iterated. A decoder is loaded for the first piece. */
async function* decoded(coded: ResponseBody, decode: Decode, signal: AbortSignal): ResponseBody {
  const first = await coded.next();
  // Servers name a coding also where there is nothing to be coded.
  if (first.done) return;
  for await (const piece of decode(startingWith(first.value, coded), first.value)) {
    // Few bytes can make so many that their connection has long been closed.
    signal.throwIfAborted();
    yield piece;
  }
}

async function* startingWith(first: Uint8Array<ArrayBuffer>, rest: ResponseBody): ResponseBody {
  yield first;
  yield* rest;
}

/** RFC 1952. */
async function* gunzip(coded: ResponseBody): ResponseBody {
  const { createGunzip } = await import("node:zlib");
  yield* through(createGunzip({ chunkSize: CHUNK_BYTES }), coded);
}

/** RFC 1950. Some servers leave its header and checksum out (RFC 9110, section 8.4.1.2). */
async function* inflate(coded: ResponseBody, [start = 0]: Uint8Array): ResponseBody {
  const { createInflate, createInflateRaw } = await import("node:zlib");
  const hasHeader = (start & 0x0f) === 8;
  const create = hasHeader ? createInflate : createInflateRaw;
  yield* through(create({ chunkSize: CHUNK_BYTES }), coded);
}

async function* decodeBrotli(coded: ResponseBody): ResponseBody {
  const { createBrotliDecompress } = await import("node:zlib");
  const decoder = createBrotliDecompress({ chunkSize: CHUNK_BYTES });
  let given = 0;
  // The decoder does not tell whether it has come to an end, but then it takes no byte more.
  async function* withOneMore(): ResponseBody {
    for await (const piece of coded) {
      given += piece.length;
      yield piece;
    }
    given += 1;
    yield new Uint8Array(1);
  }
  yield* through(decoder, withOneMore());
  if (decoder.bytesWritten === given) throw new HttpFailure("the coded body ended too early");
}

async function* decodeZstd(coded: ResponseBody): ResponseBody {
  const { constants, createZstdDecompress } = await import("node:zlib");
  const params = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX };
  // The decoder neither goes on behind a frame nor notices one that breaks off.
  for await (const frame of zstdFrames(coded)) {
    yield* through(createZstdDecompress({ chunkSize: CHUNK_BYTES, params }), frame);
  }
}

/** What a decoder makes of the pieces that it is given when it has room. */
async function* through(decoder: Transform, coded: ResponseBody): ResponseBody {
  const { pipeline, Readable } = await import("node:stream");
  // Whoever iterates gets the error.
  const pieces: AsyncIterable<Uint8Array<ArrayBuffer>> = pipeline(
    Readable.from(coded),
    decoder,
    () => {},
  );
  yield* pieces;
}
