import { type Field, MessageError, valuesOf } from "./http_head.ts";
import { type ByteStream, type StreamReader, writeAll } from "./stream.ts";

/** Where a body ends (RFC 9112, section 6.3). */
export type BodyLength =
  | { readonly kind: "bytes"; readonly count: number }
  | { readonly kind: "chunked" }
  /** At the end of the connection; responses only. */
  | { readonly kind: "untilClose" };

const NO_BODY: BodyLength = { kind: "bytes", count: 0 };
/** Bytes passed on at once. */
const PIECE_BYTES = 64 * 1024;
/** A line that gives the size of a chunk, or a trailer. */
const MAX_LINE_BYTES = 8 * 1024;
const MAX_TRAILER_BYTES = 32 * 1024;
const LINE_FEED = 0x0a;

/** How long a request's body is. @throws {MessageError} when it could be understood differently */
export function requestBodyLength(fields: readonly Field[], version: string): BodyLength {
  const framing = framingOf(fields);
  if (framing?.kind === "chunked" && version !== "1.1") {
    throw new MessageError("a request of HTTP/1.0 cannot be chunked");
  }
  return framing ?? NO_BODY;
}

/** How long a response's body is. @throws {MessageError} when it could be understood differently */
export function responseBodyLength(
  fields: readonly Field[],
  status: number,
  method: string,
): BodyLength {
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return NO_BODY;
  return framingOf(fields) ?? { kind: "untilClose" };
}

function framingOf(fields: readonly Field[]): BodyLength | undefined {
  const encodings = valuesOf(fields, "transfer-encoding");
  const lengths = valuesOf(fields, "content-length");
  if (encodings.length > 0) {
    if (lengths.length > 0) throw new MessageError("a message has two lengths");
    if (encodings.length > 1 || !/^[\t ]*chunked[\t ]*$/i.test(encodings[0] ?? "")) {
      throw new MessageError("only chunked is understood as a transfer encoding");
    }
    return { kind: "chunked" };
  }
  const [length] = lengths;
  if (length === undefined) return undefined;
  if (lengths.length > 1 || !/^\d{1,15}$/.test(length)) {
    throw new MessageError("the length of a message is malformed");
  }
  return { kind: "bytes", count: Number(length) };
}

/** Passes a body on as it is. @throws {MessageError} when it ends too early or is malformed */
export async function relayBody(
  reader: StreamReader,
  target: ByteStream,
  length: BodyLength,
): Promise<void> {
  switch (length.kind) {
    case "bytes":
      return await relayBytes(reader, target, length.count);
    case "chunked":
      return await relayChunks(reader, target);
    case "untilClose":
      for (;;) {
        const bytes = await reader.some(PIECE_BYTES);
        if (bytes === undefined) return;
        await writeAll(target, bytes);
      }
  }
}

async function relayBytes(reader: StreamReader, target: ByteStream, count: number): Promise<void> {
  for (let left = count; left > 0;) {
    const bytes = await reader.some(Math.min(left, PIECE_BYTES));
    if (bytes === undefined) throw new MessageError("a body ended too early");
    await writeAll(target, bytes);
    left -= bytes.length;
  }
}

/** Chunks are written anew: what the next program reads is what this one has understood. */
async function relayChunks(reader: StreamReader, target: ByteStream): Promise<void> {
  const write = (text: string) => writeAll(target, new TextEncoder().encode(text));
  for (;;) {
    const size = chunkSize(await readLine(reader));
    if (size === 0) break;
    await write(`${size.toString(16)}\r\n`);
    await relayBytes(reader, target, size);
    if (await readLine(reader) !== "") throw new MessageError("a chunk has another size than told");
    await write("\r\n");
  }
  // Trailers are of no use to those behind a proxy, and could be taken for headers.
  for (let room = MAX_TRAILER_BYTES;;) {
    const line = await readLine(reader);
    if (line === "") break;
    room -= line.length;
    if (room < 0) throw new MessageError("the trailers of a message are too long");
  }
  await write("0\r\n\r\n");
}

/** Extensions of a chunk, which nobody uses, are left out. */
function chunkSize(line: string): number {
  const digits = /^([\da-fA-F]{1,12})(?:[ \t]*;[\t\x20-\x7e]*)?$/.exec(line)?.[1];
  if (digits === undefined) throw new MessageError("the size of a chunk is malformed");
  return parseInt(digits, 16);
}

async function readLine(reader: StreamReader): Promise<string> {
  for (;;) {
    const end = reader.unread.indexOf(LINE_FEED);
    if (end < 0 && reader.unread.length <= MAX_LINE_BYTES) {
      if (!await reader.more()) throw new MessageError("a body ended too early");
      continue;
    }
    if (end < 0 || end > MAX_LINE_BYTES) throw new MessageError("a line of a body is too long");
    const text = String.fromCharCode(...reader.take(end + 1));
    if (!text.endsWith("\r\n")) throw new MessageError("a line does not end by CR LF");
    return text.slice(0, -2);
  }
}
