import type { ConnectionReader } from "./connection_reader.ts";
import { type Header, HttpFailure, isToken } from "./request.ts";

/** The status and the headers of a response. */
export interface ResponseHead {
  readonly status: number;
  /** Names are in lower case; headers of one name stand together, in their order. */
  readonly headers: readonly Header[];
}

/** Largest head, in bytes. */
export const MAX_HEAD_BYTES = 1024 * 1024;

/**
 * Reads the head of a final response; informational ones before it are skipped (RFC 9112).
 *
 * @param maxBytes the longest head that is read
 * @throws {UnexpectedEnd} when the connection ends before the head does
 * @throws {HttpFailure} when what comes is no response of HTTP/1
 */
export async function readResponseHead(
  reader: ConnectionReader,
  maxBytes: number = MAX_HEAD_BYTES,
): Promise<ResponseHead> {
  for (;;) {
    const head = await readHead(reader, maxBytes);
    // What follows 101 Switching Protocols is no HTTP any more, so nothing final comes behind it.
    if (head.status >= 200 || head.status === 101) return head;
  }
}

async function readHead(reader: ConnectionReader, maxBytes: number): Promise<ResponseHead> {
  // A server of another protocol may send no line end, and wait.
  if (!await reader.startsWith("HTTP/1.")) throw new HttpFailure(NOT_HTTP);
  let room = maxBytes;
  const nextLine = async () => {
    const line = await reader.line(room);
    room -= line.length;
    return line;
  };
  const status = parseStatus(await nextLine());
  const headers: Header[] = [];
  for (let line = await nextLine(); line !== ""; line = await nextLine()) {
    headers.push(parseHeader(line));
  }
  return { status, headers: byName(headers) };
}

const NOT_HTTP = "the server answered something else than HTTP/1";

function parseStatus(line: string): number {
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(line)?.[1];
  if (status === undefined) throw new HttpFailure(NOT_HTTP);
  return Number(status);
}

function parseHeader(line: string): Header {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0));
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
  if (!isToken(name) || /[\0\r]/.test(value)) {
    throw new HttpFailure("a line of the response's head is malformed");
  }
  return { name: name.toLowerCase(), value: textOf(value) };
}

/** Values beyond ASCII have no encoding (RFC 9110, section 5.5): UTF-8 if it is, else Latin-1. */
function textOf(value: string): string {
  try {
    const bytes = Uint8Array.from(value, (character) => character.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return value;
  }
}

/** Order matters among headers of one name only (RFC 9110, section 5.3). */
function byName(headers: readonly Header[]): Header[] {
  const groups = new Map<string, Header[]>();
  for (const header of headers) {
    const group = groups.get(header.name);
    if (group === undefined) groups.set(header.name, [header]);
    else group.push(header);
  }
  return [...groups.values()].flat();
}

/** A response's body, piece by piece, read as fast as it is iterated. */
export type ResponseBody = AsyncGenerator<Uint8Array<ArrayBuffer>, void, void>;

/** Largest line with a chunk's size or a trailer, in bytes. */
const MAX_CHUNK_LINE_BYTES = 16 * 1024;
const MAX_TRAILERS = 1000;
const PIECE_BYTES = 64 * 1024;

/**
 * The body of a response as it was sent (RFC 9112, section 6.3), with its content coding.
 *
 * @throws {HttpFailure} when the head or the body breaks the rules, or the connection ends within it
 */
export function responseBody(
  reader: ConnectionReader,
  method: string,
  { status, headers }: ResponseHead,
): ResponseBody {
  if (hasNoBody(method, status)) return upTo(reader, 0);
  const codings = valuesOf(headers, "transfer-encoding");
  if (codings.at(-1) === "chunked") return chunks(reader);
  const lengths = new Set(valuesOf(headers, "content-length"));
  if (codings.length > 0 || lengths.size === 0) return untilTheEnd(reader);
  const [length = ""] = lengths;
  if (lengths.size > 1 || !/^\d{1,15}$/.test(length)) {
    throw new HttpFailure("the response's content-length is malformed");
  }
  return upTo(reader, Number(length));
}

/** The values that headers of one name list, in lower case (RFC 9110, section 5.6.1). */
function valuesOf(headers: readonly Header[], wanted: string): string[] {
  return headers.filter(({ name }) => name === wanted).flatMap(({ value }) =>
    value.split(",").map((each) => each.trim().toLowerCase())
  );
}

/** Whether a response has no body whatever its headers say. */
export function hasNoBody(method: string, status: number): boolean {
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
