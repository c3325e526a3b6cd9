import { Buffer } from "node:buffer";
import { isToken } from "../http/request.ts";
import type { StreamReader } from "./stream.ts";

/** Bytes of a head, of whatever number of lines. */
const MAX_HEAD_BYTES = 64 * 1024;
/** What a value may hold: visible characters of any set, spaces and tabs. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** One line of a head. */
export interface Field {
  /** As it came. */
  readonly name: string;
  readonly value: string;
}

/** What comes before the body of a message. */
export interface MessageHead {
  /** The first line. */
  readonly start: string;
  readonly fields: readonly Field[];
}

/** Something is no message of HTTP/1.1, or one that two readers could understand differently. */
export class MessageError extends Error {
  override readonly name = "MessageError";
}

/**
 * Reads a head strictly (RFC 9112): lines end by CR LF, nothing is folded, and no name has a space
 * before its colon, so that nobody behind this program can see other lines than it saw.
 *
 * @returns undefined if the connection ends before the first byte
 * @throws {MessageError}
 */
export async function readHead(reader: StreamReader): Promise<MessageHead | undefined> {
  let searched = 0;
  for (;;) {
    const end = endOfHead(reader.unread, searched);
    if (end >= 0) {
      if (end > MAX_HEAD_BYTES) break;
      return parseHead(reader.take(end));
    }
    searched = Math.max(0, reader.unread.length - 3);
    if (reader.unread.length > MAX_HEAD_BYTES) break;
    if (await reader.more()) continue;
    if (reader.unread.length === 0) return undefined;
    throw new MessageError("the connection ended within the head of a message");
  }
  throw new MessageError(`the head of a message has more than ${MAX_HEAD_BYTES} bytes`);
}

/** Where the first empty line ends; -1 if there is none yet. */
function endOfHead(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(LINE_FEED, from); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) {
    if (bytes[at - 1] !== CARRIAGE_RETURN) throw new MessageError("a line does not end by CR LF");
    if (bytes[at + 1] === CARRIAGE_RETURN && bytes[at + 2] === LINE_FEED) return at + 3;
    if (at === 1) throw new MessageError("the first line is empty");
  }
  return -1;
}

function parseHead(bytes: Uint8Array): MessageHead {
  const [start = "", ...lines] = binaryText(bytes).slice(0, -4).split("\r\n");
  return { start, fields: lines.map(parseField) };
}

function parseField(line: string): Field {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(0, colon));
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
  if (!isToken(name) || !VALUE.test(value)) throw new MessageError("a header is malformed");
  return { name, value };
}

/** A head as it goes on the wire. */
export function encodeHead({ start, fields }: MessageHead): Uint8Array<ArrayBuffer> {
  const lines = [start, ...fields.map(({ name, value }) => `${name}: ${value}`), "", ""];
  return bytesOf(lines.join("\r\n"));
}

/** All values of a header, whatever its case; a list in one is not taken apart. */
export function valuesOf(fields: readonly Field[], name: string): string[] {
  return fields.filter((field) => field.name.toLowerCase() === name).map(({ value }) => value);
}

/** The members of all lists of a header, in lower case. */
export function membersOf(fields: readonly Field[], name: string): string[] {
  return valuesOf(fields, name).flatMap((value) => value.split(","))
    .map((member) => member.replace(/^[\t ]+|[\t ]+$/g, "").toLowerCase())
    .filter((member) => member !== "");
}

/** What is meant for the next program alone (RFC 9110, section 7.6.1), and old inventions. */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "upgrade",
];

/** The fields that are not for this program alone, among them what `Connection` names. */
export function endToEnd(fields: readonly Field[]): Field[] {
  // Whoever names the framing there would have the next program see another body than this one.
  const named = membersOf(fields, "connection")
    .filter((name) => name !== "content-length" && name !== "transfer-encoding" && name !== "host");
  const dropped = new Set([...HOP_BY_HOP, ...named]);
  return fields.filter(({ name }) => !dropped.has(name.toLowerCase()));
}

/** One character a byte; the decoder that is called latin1 has other characters for some. */
function binaryText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** One byte a character; there are no others in what was read so. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  Buffer.from(bytes.buffer).write(text, "latin1");
  return bytes;
}
