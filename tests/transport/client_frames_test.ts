import { assertEquals, assertThrows } from "@std/assert";
import {
  closePayload,
  encodeFrame,
  type Frame,
  FrameDecoder,
  FrameError,
} from "../../src/transport/client_frames.ts";
import { seededRandom } from "../support/seeded_random.ts";

/** A frame as a server sends it. */
function frame(first: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const header = length < 126
    ? [first, length]
    : length < 65536
    ? [first, 126, length >> 8, length & 0xff]
    : [
      first,
      127,
      0,
      0,
      0,
      0,
      length >>> 24,
      (length >> 16) & 0xff,
      (length >> 8) & 0xff,
      length & 0xff,
    ];
  return concatenated([Uint8Array.from(header), payload]);
}

function concatenated(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** What a decoder makes of bytes that come in pieces of so many. */
function decoded(bytes: Uint8Array, piece = bytes.length): Frame[] {
  const decoder = new FrameDecoder();
  const frames: Frame[] = [];
  for (let offset = 0; offset < bytes.length; offset += piece) {
    for (const frame of decoder.push(bytes.slice(offset, offset + piece))) {
      // It is valid until the next push.
      frames.push(frame.kind === "close" ? frame : { ...frame, payload: frame.payload.slice() });
    }
  }
  return frames;
}

const TEXT = 0x81;
const PING = 0x89;

Deno.test("frames of every length come out of pieces of every size", () => {
  const random = seededRandom(1);
  const payloads = [0, 1, 125, 126, 127, 65535, 65536, 200_000].map((length) =>
    Uint8Array.from({ length }, () => random(256))
  );
  const bytes = concatenated(payloads.map((payload) => frame(0x82, payload)));
  for (const piece of [bytes.length, 65536, 1000, 7]) {
    const frames = decoded(bytes, piece);
    assertEquals(frames.length, payloads.length);
    frames.forEach((got, index) =>
      assertEquals(got, { kind: "binary", payload: payloads[index] ?? new Uint8Array() })
    );
  }
});

Deno.test("fragments become one message, with a ping between them", () => {
  const bytes = concatenated([
    frame(0x01, text("one ")),
    frame(PING, text("there?")),
    frame(0x00, text("two ")),
    frame(0x80, text("three")),
  ]);
  for (const piece of [bytes.length, 1]) {
    assertEquals(decoded(bytes, piece), [
      { kind: "ping", payload: text("there?") },
      { kind: "text", payload: text("one two three") },
    ]);
  }
});

Deno.test("a close frame has a code and a reason, or neither", () => {
  assertEquals(decoded(frame(0x88, closePayload(4503, "shutting down"))), [
    { kind: "close", code: 4503, reason: "shutting down" },
  ]);
  assertEquals(decoded(frame(0x88, new Uint8Array())), [
    { kind: "close", code: undefined, reason: "" },
  ]);
});

for (
  const [what, bytes] of [
    ["a reserved bit", frame(0xc1, text("x"))],
    ["a mask", Uint8Array.of(TEXT, 0x81, 1, 2, 3, 4, 5)],
    ["an unknown kind", frame(0x83, text("x"))],
    ["a continuation of nothing", frame(0x80, text("x"))],
    ["a message within a message", concatenated([frame(0x01, text("x")), frame(TEXT, text("y"))])],
    ["a control frame in fragments", frame(0x09, text("x"))],
    ["a long control frame", frame(PING, new Uint8Array(126))],
    ["a frame past the limit", Uint8Array.of(TEXT, 127, 0, 0, 0, 1, 0, 0, 0, 0)],
  ] as const
) {
  Deno.test(`${what} is no frame that a server may send`, () => {
    assertThrows(() => decoded(bytes), FrameError);
  });
}

Deno.test("what is encoded is masked and comes out as it was", () => {
  const random = seededRandom(2);
  for (const length of [0, 1, 3, 4, 5, 125, 126, 65535, 65536]) {
    const payload = Uint8Array.from({ length }, () => random(256));
    const encoded = encodeFrame("text", payload);
    const lengthBytes = length < 126 ? 0 : length < 65536 ? 2 : 8;
    assertEquals((encoded[1] ?? 0) & 0x80, 0x80);
    const mask = encoded.slice(2 + lengthBytes, 6 + lengthBytes);
    const unmasked = encoded.slice(6 + lengthBytes).map((byte, index) =>
      byte ^ (mask[index % 4] ?? 0)
    );
    assertEquals(unmasked, payload);
    const header = encoded.slice(0, 2 + lengthBytes);
    header[1] = (header[1] ?? 0) & 0x7f;
    assertEquals(decoded(concatenated([header, unmasked])), [{ kind: "text", payload }]);
  }
});
