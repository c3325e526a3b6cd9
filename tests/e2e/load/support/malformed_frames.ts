import { methods } from "../../../../src/protocol/methods.ts";
import { pick, type Random } from "../../../support/seeded_random.ts";
import { Opcode } from "../../support/raw_socket.ts";

/** Bytes that no client should send. */
export interface MalformedFrame {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether it is answered with one message, or ends its connection, or one of both. */
  readonly effect: "answered" | "ends" | "either";
}

const METHODS = Object.keys(methods).filter((method) => method !== "initialize");

/** Makes one of many kinds. None asks for anything that could be done. */
export function malformedFrame(random: Random): MalformedFrame {
  if (random(ENDING_ONE_IN) === 0) return pick(random, ENDING)(random);
  return pick(random, ANSWERED)(random);
}

/** Each connection it ends has to be opened again, which takes far longer than a frame. */
const ENDING_ONE_IN = 200;

type Kind = (random: Random) => MalformedFrame;

const ANSWERED: readonly [Kind, ...Kind[]] = [
  (random) => answeredText(notJson(random)),
  (random) => answeredText(JSON.stringify(notAMessage(random))),
  (random) => answeredText(JSON.stringify(wrongParameters(random))),
  (random) => answeredText(JSON.stringify(wrongParameters(random))),
  (random) => answeredText(`{"id":1,"method":"process/read","params":${hugeNumbers(random)}}`),
  (random) => answeredText(nested(random)),
  (random) => answered(frame(Opcode.Binary, invalidUtf8(random), random)),
  (random) => fragmented(random),
  () => answeredText('{"id":1.5,"method":"environment/info"}'),
  () => answeredText(""),
];

const ENDING: readonly [Kind, ...Kind[]] = [
  (random) => ends(frame(Opcode.Text, invalidUtf8(random), random)),
  (random) => ends(frame(pick(random, [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), junk(random), random)),
  (random) => ends(frame(Opcode.Continuation, junk(random), random)),
  (random) => ends(frame(Opcode.Ping, new Uint8Array(126 + random(100)), random)),
  (random) => ends(frame(Opcode.Text, utf8("{}"), random, pick(random, [0xc0, 0xa0, 0x90, 0xf0]))),
  (random) => ends(text('{"method":"process/start","params":{}}', random)),
  (random) => ends(text('{"id":1,"result":{}}', random)),
  // A length that no memory holds, and no payload.
  () => ends(Uint8Array.of(0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4)),
  (random) => either(wronglyMasked(random)),
  (random) => either(junk(random)),
];

function answeredText(message: string): MalformedFrame {
  return answered(text(message, (below) => below >> 1));
}

function answered(bytes: Uint8Array<ArrayBuffer>): MalformedFrame {
  return { bytes, effect: "answered" };
}

function ends(bytes: Uint8Array<ArrayBuffer>): MalformedFrame {
  return { bytes, effect: "ends" };
}

function either(bytes: Uint8Array<ArrayBuffer>): MalformedFrame {
  return { bytes, effect: "either" };
}

/** A request that was cut short, or in which one character is another. */
function notJson(random: Random): string {
  const request = JSON.stringify({ id: 1, method: pickMethod(random), params: { path: "x" } });
  if (random(2) === 0) return request.slice(0, random(request.length - 1) + 1);
  return `${request.slice(0, -1)}${pick(random, ["", "]", "}}", ",", "\0", "\\", "NaN"])}`
    .replace(/\}$/, "]");
}

/** JSON, but neither request nor response nor notification. */
function notAMessage(random: Random): unknown {
  return pick<() => unknown>(random, [
    () => [value(random, 3)],
    () => random(1000),
    () => null,
    () => ({ id: random(1000) }),
    () => ({ id: 1, method: { "": value(random, 3) } }),
    () => ({ error: value(random, 3) }),
    () => ({ __proto__: null, constructor: value(random, 2), toString: 1 }),
  ])();
}

/** A request whose parameters fit no method, or name nothing that is there. */
function wrongParameters(random: Random): unknown {
  const members = [
    "processId",
    "argv",
    "cwd",
    "env",
    "path",
    "chunk",
    "sandbox",
    "handleId",
    "options",
    "url",
    "requestId",
    "__proto__",
  ] as const;
  const params = Object.fromEntries(
    Array.from({ length: random(6) }, () => [pick(random, members), value(random, 3)]),
  );
  return {
    id: pick(random, [random(1000), `id ${random(1000)}`, -1]),
    method: random(8) === 0 ? String(value(random, 0)) : pickMethod(random),
    params: random(6) === 0 ? value(random, 2) : params,
  };
}

function pickMethod(random: Random): string {
  return METHODS[random(METHODS.length)] ?? "environment/info";
}

/** Any JSON value. No text in it has a colon: none is the URI of a file that could be removed. */
function value(random: Random, depth: number): unknown {
  const scalars = [null, true, -1, 0.5, 2 ** 53, "", "\ud800", "\0", "é".repeat(50)];
  const choice = random(depth > 0 ? 8 : 6);
  if (choice < 6) return scalars[random(scalars.length)];
  const items = Array.from({ length: random(4) }, () => value(random, depth - 1));
  return choice === 6 ? items : Object.fromEntries(items.map((item) => [String(random(9)), item]));
}

function hugeNumbers(random: Random): string {
  const number = pick(random, ["1e400", "-1e400", "9".repeat(400), "1e-400", "0.1e309"]);
  return `{"processId":"none","afterSeq":${number},"maxBytes":${number},"waitMs":${number}}`;
}

/** As deep as it is long, mostly not very. */
function nested(random: Random): string {
  const depth = 1 + random(random(100) === 0 ? 100_000 : 100);
  const [open, close] = pick(random, [["[", "]"], ['{"a":', "}"], ['{"id":1,"params":', "}"]]);
  const deep = `${open.repeat(depth)}1${close.repeat(depth)}`;
  return pick(random, [
    deep,
    `{"id":1,"method":"process/start","params":${deep}}`,
    `{"id":1,"method":"process/start","params":{"sandbox":${deep}}}`,
    `{"id":1,"method":"fs/walk","params":{"options":${deep}}}`,
  ]);
}

/** A message in many fragments, with pings between, that is none. */
function fragmented(random: Random): MalformedFrame {
  const parts = 2 + random(6);
  const frames = Array.from({ length: parts }, (_, index) => {
    const opcode = index === 0 ? Opcode.Text : Opcode.Continuation;
    return frame(opcode, utf8(`[${random(100)}`), random, index === parts - 1 ? 0x80 : 0);
  });
  return answered(concatenated(frames));
}

/** Its payload was masked with another key than the one it names. */
function wronglyMasked(random: Random): Uint8Array<ArrayBuffer> {
  const bytes = text('{"id":1,"method":"environment/info"}', random);
  const at = 2 + random(4);
  bytes[at] = (bytes[at] ?? 0) ^ (1 + random(255));
  return bytes;
}

/** Bytes among which one is never part of UTF-8. */
function invalidUtf8(random: Random): Uint8Array<ArrayBuffer> {
  return concatenated([utf8('{"id":1,"method":"'), Uint8Array.of(0xf5 + random(11)), junk(random)]);
}

function junk(random: Random): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: 1 + random(100) }, () => random(256));
}

function text(message: string, random: Random): Uint8Array<ArrayBuffer> {
  return frame(Opcode.Text, utf8(message), random);
}

/** A masked frame (RFC 6455, section 5.2). @param flags of its first byte: final, and three more */
function frame(
  opcode: number,
  payload: Uint8Array,
  random: Random,
  flags = 0x80,
): Uint8Array<ArrayBuffer> {
  const { length } = payload;
  const size = length < 126
    ? [length]
    : length < 0x10000
    ? [126, length >> 8, length & 0xff]
    : [127, 0, 0, 0, 0, length >> 24, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff];
  const mask = Array.from({ length: 4 }, () => random(256));
  const masked = payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  return concatenated([
    Uint8Array.of(flags | opcode, 0x80 | (size[0] ?? 0), ...size.slice(1), ...mask),
    masked,
  ]);
}

function utf8(message: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(message);
}

/** One after the other. */
export function concatenated(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
