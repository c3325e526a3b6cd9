import type { ConnectionReader } from "./connection_reader.ts";
import { HttpFailure } from "./request.ts";
import type { ResponseHead } from "./response_head.ts";

/** A response's body, piece by piece, read as fast as it is iterated. */
export type ResponseBody = AsyncGenerator<Uint8Array<ArrayBuffer>, void, void>;

/** Largest line with a chunk's size or a trailer, in bytes. */
const MAX_CHUNK_LINE_BYTES = 16 * 1024;
const MAX_TRAILERS = 1000;
const PIECE_BYTES = 64 * 1024;

/**
 * The body of a response (RFC 9112, section 6.3). Content codings are not decoded: the client gets the
 * headers that name them.
 *
 * @throws {HttpFailure} when the head or the body breaks the rules, or the connection ends within it
 */
export function responseBody(
  reader: ConnectionReader,
  method: string,
  { status, headers }: ResponseHead,
): ResponseBody {
  const values = (wanted: string) =>
    headers.filter(({ name }) => name === wanted).flatMap(({ value }) => value.split(",")).map(
      (value) => value.trim().toLowerCase(),
    );
  if (hasNoBody(method, status)) return upTo(reader, 0);
  const codings = values("transfer-encoding");
  if (codings.at(-1) === "chunked") return chunks(reader);
  const lengths = new Set(values("content-length"));
  if (codings.length > 0 || lengths.size === 0) return untilTheEnd(reader);
  const [length = ""] = lengths;
  if (lengths.size > 1 || !/^\d{1,15}$/.test(length)) {
    throw new HttpFailure("the response's content-length is malformed");
  }
  return upTo(reader, Number(length));
}

function hasNoBody(method: string, status: number): boolean {
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return true;
  return method === "CONNECT" && status < 300;
}

async function* untilTheEnd(reader: ConnectionReader): ResponseBody {
  for (;;) {
    const piece = await reader.bytes(PIECE_BYTES);
    if (piece === null) return;
    yield piece;
  }
}

async function* upTo(reader: ConnectionReader, length: number): ResponseBody {
  for (let missing = length; missing > 0;) {
    const piece = await reader.bytes(Math.min(missing, PIECE_BYTES));
    if (piece === null) throw new HttpFailure(`the body ended ${missing} bytes too early`);
    missing -= piece.length;
    yield piece;
  }
}

/** RFC 9112, section 7.1. */
async function* chunks(reader: ConnectionReader): ResponseBody {
  for (let size = await chunkSize(reader); size > 0; size = await chunkSize(reader)) {
    yield* upTo(reader, size);
    if (await reader.line(MAX_CHUNK_LINE_BYTES) !== "") {
      throw new HttpFailure("a chunk of the body is longer than it says");
    }
  }
  for (let trailers = 0; trailers <= MAX_TRAILERS; trailers++) {
    if (await reader.line(MAX_CHUNK_LINE_BYTES) === "") return;
  }
  throw new HttpFailure(`more than ${MAX_TRAILERS} lines behind the body`);
}

async function chunkSize(reader: ConnectionReader): Promise<number> {
  const line = await reader.line(MAX_CHUNK_LINE_BYTES);
  const size = /^([\da-f]{1,12})[ \t]*(?:;|$)/i.exec(line)?.[1];
  if (size === undefined) throw new HttpFailure("the size of a chunk of the body is malformed");
  return parseInt(size, 16);
}
