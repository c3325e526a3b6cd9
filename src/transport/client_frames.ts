import { concat } from "@std/bytes/concat";
import { ByteQueue } from "./byte_queue.ts";
import { MAX_MESSAGE_BYTES, type OutgoingMessage } from "./transport.ts";
import { utf8Bytes } from "./utf8.ts";

/** A frame or a message of a WebSocket peer (RFC 6455, section 5). */
export type Frame =
  | { readonly kind: "text" | "binary" | "ping" | "pong"; readonly payload: Uint8Array }
  | { readonly kind: "close"; readonly code: number | undefined; readonly reason: string };

/** The peer sent an invalid frame, or one that is not allowed at this point. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

const Opcode = { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 } as const;

const FINAL = 0x80;
const RESERVED = 0x70;
const MASKED = 0x80;
const MASK_BYTES = 4;
const MAX_HEADER_BYTES = 2 + 8 + MASK_BYTES;
/** Largest length in the second byte; longer ones take two or eight more bytes. */
const MAX_SHORT_LENGTH = 125;
const TWO_BYTES = 126;
const EIGHT_BYTES = 127;

interface Header {
  readonly final: boolean;
  readonly opcode: number;
  readonly headerBytes: number;
  readonly payloadBytes: number;
}

/** Decodes a server's frames from a stream of bytes, and joins fragments into messages. */
export class FrameDecoder {
  readonly #received = new ByteQueue();
  /** Bytes that are needed to decode the next frame. */
  #needed = 2;
  #fragments: { readonly opcode: number; readonly parts: Uint8Array[]; bytes: number } | undefined;

  /**
   * Adds bytes and returns the frames that they complete. Their payloads are valid until more is added.
   *
   * @throws {FrameError}
   */
  push(chunk: Uint8Array): Frame[] {
    this.#received.push(chunk);
    if (this.#received.length < this.#needed) return [];
    const frames: Frame[] = [];
    let rest = this.#received.bytes;
    while (true) {
      const header = readHeader(rest);
      this.#needed = typeof header === "number" ? header : header.headerBytes + header.payloadBytes;
      if (typeof header === "number" || rest.length < this.#needed) break;
      const frame = this.#assemble(header, rest.subarray(header.headerBytes, this.#needed));
      if (frame !== undefined) frames.push(frame);
      rest = rest.subarray(this.#needed);
    }
    this.#received.drop(this.#received.length - rest.length);
    return frames;
  }

  #assemble({ final, opcode }: Header, payload: Uint8Array): Frame | undefined {
    switch (opcode) {
      case Opcode.Close:
        return closeFrame(payload);
      case Opcode.Ping:
        return { kind: "ping", payload };
      case Opcode.Pong:
        return { kind: "pong", payload };
      case Opcode.Text:
      case Opcode.Binary:
        if (this.#fragments !== undefined) throw new FrameError("a message within a message");
        if (final) return message(opcode, payload);
        this.#fragments = { opcode, parts: [payload.slice()], bytes: payload.length };
        return undefined;
      case Opcode.Continuation:
        return this.#continue(final, payload);
      default:
        throw new FrameError(`a frame of unknown kind ${opcode}`);
    }
  }

  #continue(final: boolean, payload: Uint8Array): Frame | undefined {
    const fragments = this.#fragments;
    if (fragments === undefined) throw new FrameError("a continuation of nothing");
    fragments.parts.push(payload.slice());
    fragments.bytes += payload.length;
    checkLength(fragments.bytes);
    if (!final) return undefined;
    this.#fragments = undefined;
    return message(fragments.opcode, concat(fragments.parts));
  }
}

/** Encodes a frame as a client sends it: masked (RFC 6455, section 5.3). */
export function encodeFrame(
  kind: "text" | "ping" | "pong" | "close",
  payload: OutgoingMessage,
): Uint8Array<ArrayBuffer> {
  const bytes = utf8Bytes(payload, { before: MAX_HEADER_BYTES });
  const length = bytes.length - MAX_HEADER_BYTES;
  const lengthBytes = length <= MAX_SHORT_LENGTH ? 0 : length <= 0xffff ? 2 : 8;
  const headerBytes = 2 + lengthBytes + MASK_BYTES;
  const frame = bytes.subarray(MAX_HEADER_BYTES - headerBytes);
  const view = new DataView(frame.buffer, frame.byteOffset);
  frame[0] = FINAL | opcodeOf(kind);
  frame[1] = MASKED | (lengthBytes === 0 ? length : lengthBytes === 2 ? TWO_BYTES : EIGHT_BYTES);
  if (lengthBytes === 2) view.setUint16(2, length);
  if (lengthBytes === 8) view.setBigUint64(2, BigInt(length));
  const mask = crypto.getRandomValues(new Uint8Array(MASK_BYTES));
  frame.set(mask, headerBytes - MASK_BYTES);
  applyMask(frame.subarray(headerBytes), mask);
  return frame;
}

/** The payload of a close frame. The reason must be short: 123 bytes at the most. */
export function closePayload(code: number, reason: string): Uint8Array {
  const text = new TextEncoder().encode(reason);
  const payload = new Uint8Array(2 + text.length);
  new DataView(payload.buffer).setUint16(0, code);
  payload.set(text, 2);
  return payload;
}

function opcodeOf(kind: "text" | "ping" | "pong" | "close"): number {
  switch (kind) {
    case "text":
      return Opcode.Text;
    case "ping":
      return Opcode.Ping;
    case "pong":
      return Opcode.Pong;
    case "close":
      return Opcode.Close;
  }
}

function applyMask(bytes: Uint8Array, mask: Uint8Array): void {
  const [a = 0, b = 0, c = 0, d = 0] = mask;
  const whole = bytes.length - bytes.length % 4;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const word = (a << 24 | b << 16 | c << 8 | d) >>> 0;
  for (let index = 0; index < whole; index += 4) {
    view.setUint32(index, view.getUint32(index) ^ word);
  }
  for (let index = whole; index < bytes.length; index++) {
    view.setUint8(index, view.getUint8(index) ^ (mask[index % 4] ?? 0));
  }
}

/** The header at the start of some bytes, or how many bytes reading it takes. */
function readHeader(bytes: Uint8Array): Header | number {
  if (bytes.length < 2) return 2;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const first = view.getUint8(0);
  const second = view.getUint8(1);
  if ((first & RESERVED) !== 0) throw new FrameError("a frame of an extension nobody asked for");
  if ((second & MASKED) !== 0) throw new FrameError("a masked frame from a server");
  const final = (first & FINAL) !== 0;
  const opcode = first & 0x0f;
  const short = second & 0x7f;
  if (opcode >= Opcode.Close && (!final || short > MAX_SHORT_LENGTH)) {
    throw new FrameError("a control frame in fragments or of more than 125 bytes");
  }
  if (short <= MAX_SHORT_LENGTH) return { final, opcode, headerBytes: 2, payloadBytes: short };
  const headerBytes = short === TWO_BYTES ? 4 : 10;
  if (bytes.length < headerBytes) return headerBytes;
  const length = short === TWO_BYTES ? view.getUint16(2) : Number(view.getBigUint64(2));
  checkLength(length);
  return { final, opcode, headerBytes, payloadBytes: length };
}

function checkLength(bytes: number): void {
  if (bytes > MAX_MESSAGE_BYTES) {
    throw new FrameError(`a message of ${bytes} bytes, the limit is ${MAX_MESSAGE_BYTES}`);
  }
}

function message(opcode: number, payload: Uint8Array): Frame {
  return { kind: opcode === Opcode.Text ? "text" : "binary", payload };
}

function closeFrame(payload: Uint8Array): Frame {
  if (payload.length < 2) return { kind: "close", code: undefined, reason: "" };
  const code = new DataView(payload.buffer, payload.byteOffset).getUint16(0);
  return { kind: "close", code, reason: new TextDecoder().decode(payload.subarray(2)) };
}
