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
