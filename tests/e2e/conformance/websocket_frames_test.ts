import { assertEquals, assertObjectMatch, assertStringIncludes } from "@std/assert";
import { ListeningExecutor } from "../support/executor.ts";
import { Opcode, RawSocket } from "../support/raw_socket.ts";
import { connectWebSocket } from "../support/websocket_client.ts";

const UNKNOWN = '{"id":7,"method":"é"}';
const ANSWERED = { id: 7, error: { code: -32601 } };
const MALFORMED = { id: -1, error: { code: -32600 } };
const MIB = 1024 * 1024;

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** What is sent, and the one answer it gets on a connection that goes on. */
const FRAMES: Readonly<Record<string, [send: (socket: RawSocket) => Promise<void>, object]>> = {
  "text": [(socket) => socket.send(Opcode.Text, UNKNOWN), ANSWERED],
  "binary": [(socket) => socket.send(Opcode.Binary, UNKNOWN), ANSWERED],
  "empty text": [(socket) => socket.send(Opcode.Text, ""), MALFORMED],
  "empty binary": [(socket) => socket.send(Opcode.Binary, ""), MALFORMED],
  "white space": [(socket) => socket.send(Opcode.Text, "   "), MALFORMED],
  "binary that is not UTF-8": [
    (socket) => socket.send(Opcode.Binary, Uint8Array.of(0x22, 0xff, 0x22)),
    MALFORMED,
  ],
  "fragments, cut inside a character, with a ping between": [async (socket) => {
    const whole = bytes(UNKNOWN);
    await socket.send(Opcode.Text, whole.subarray(0, 19), { final: false });
    await socket.send(Opcode.Pong, "unasked");
    await socket.send(Opcode.Continuation, whole.subarray(19));
  }, ANSWERED],
  "60 MiB": [
    (socket) => socket.send(Opcode.Text, `${" ".repeat(60 * MIB)}${UNKNOWN}`),
    ANSWERED,
  ],
  "60 MiB in fragments": [async (socket) => {
    const blank = new Uint8Array(6 * MIB).fill(0x20);
    await socket.send(Opcode.Text, blank, { final: false });
    for (let part = 1; part < 10; part++) {
      await socket.send(Opcode.Continuation, blank, { final: false });
    }
    await socket.send(Opcode.Continuation, UNKNOWN);
  }, ANSWERED],
  "70 MiB in fragments": [async (socket) => {
    const blank = new Uint8Array(7 * MIB).fill(0x20);
    await socket.send(Opcode.Text, blank, { final: false });
    for (let part = 1; part < 10; part++) {
      await socket.send(Opcode.Continuation, blank, { final: false });
    }
    await socket.send(Opcode.Continuation, UNKNOWN);
  }, MALFORMED],
};

Deno.test("websocket: frames and their answers", async (t) => {
  await using executor = await ListeningExecutor.start();
  using socket = await RawSocket.open(executor.url);
  for (const [name, [send, answer]] of Object.entries(FRAMES)) {
    await t.step(name, async () => {
      await send(socket);
      assertObjectMatch(JSON.parse(await socket.nextText()), { ...answer });
      await socket.send(Opcode.Text, '{"id":8,"method":"still there"}');
      assertObjectMatch(JSON.parse(await socket.nextText()), { id: 8, error: { code: -32601 } });
    });
  }
});

/** What ends its own connection and no other. */
const FATAL: Readonly<Record<string, (socket: RawSocket) => Promise<void>>> = {
  "text that is not UTF-8": (socket) => socket.send(Opcode.Text, Uint8Array.of(0x22, 0xff, 0x22)),
  "a reserved opcode": (socket) => socket.send(3, "x"),
  "a continuation of nothing": (socket) => socket.send(Opcode.Continuation, "x"),
  "a ping that is too long": (socket) => socket.send(Opcode.Ping, "x".repeat(126)),
  "more than 64 MiB in one frame": (socket) =>
    socket.send(Opcode.Text, new Uint8Array(64 * MIB + 1).fill(0x20)),
};

Deno.test("websocket: what cannot be read ends its own connection alone", async (t) => {
  await using executor = await ListeningExecutor.start();
  await using witness = await connectWebSocket(executor.url);
  await witness.initialize();
  for (const [name, send] of Object.entries(FATAL)) {
    await t.step(name, async () => {
      using socket = await RawSocket.open(executor.url);
      await send(socket);
      assertEquals(await socket.next(), undefined);
      assertObjectMatch(await witness.request("environment/info"), { result: {} });
    });
  }
});

Deno.test("websocket: a ping is answered with what it says", async () => {
  await using executor = await ListeningExecutor.start();
  using socket = await RawSocket.open(executor.url);
  await socket.send(Opcode.Ping, "hello");
  assertEquals(await socket.next(), { opcode: Opcode.Pong, payload: bytes("hello") });
});

Deno.test("websocket: a close frame is answered with one", async () => {
  await using executor = await ListeningExecutor.start();
  using socket = await RawSocket.open(executor.url);
  const code = Uint8Array.of(0x03, 0xe8);
  await socket.send(Opcode.Close, code);
  assertEquals(await socket.next(), { opcode: Opcode.Close, payload: code });
  assertEquals(await socket.next(), undefined);
});

Deno.test("websocket: a violation is told in the close frame", async () => {
  await using executor = await ListeningExecutor.start();
  using socket = await RawSocket.open(executor.url);
  await socket.send(Opcode.Text, '{"method":"nonsense"}');
  const frame = await socket.next();
  assertEquals(frame?.opcode, Opcode.Close);
  assertStringIncludes(new TextDecoder().decode(frame?.payload.subarray(2)), "nonsense");
  await socket.send(Opcode.Close, "");
  assertEquals(await socket.next(), undefined);
});
