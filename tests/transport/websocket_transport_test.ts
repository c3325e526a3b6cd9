import { assert, assertEquals } from "@std/assert";
import { SATURATED_BYTES } from "../../src/transport/transport.ts";
import { eventually, settled } from "../support/patience.ts";
import { closing, openSocket, TestServer } from "./test_server.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const UPGRADE =
  "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`;

/** A connection that says and reads only what the test wants. */
async function openByHand(port: number): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(UPGRADE));
  return connection;
}

Deno.test("frames are messages: text, or UTF-8 in a binary frame", async () => {
  await using server = await TestServer.start();
  const client = await openSocket(server.url);
  const { observer } = await server.newest();
  client.send("text ä");
  client.send(new TextEncoder().encode("binary ä"));
  client.send(Uint8Array.of(0xff));
  client.send("");
  const closed = closing(client);
  client.close();
  await observer.over;
  await closed;
  assertEquals(observer.told, [
    "text ä",
    "binary ä",
    "[a binary frame that is not UTF-8]",
    "",
    "[closed]",
  ]);
});

Deno.test("messages are text frames", async () => {
  await using server = await TestServer.start();
  const client = await openSocket(server.url);
  const { transport } = await server.newest();
  const got = new Promise((resolve) => client.onmessage = ({ data }) => resolve(data));
  transport.send('{"a":"ä"}');
  assertEquals(await got, '{"a":"ä"}');
  const closed = closing(client);
  client.close();
  await closed;
});

Deno.test("a client is told why its connection is closed", async () => {
  const cases = [
    [{ kind: "protocolError", message: "wrong" }, 4400, "wrong"],
    [{ kind: "protocolError", message: "" }, 4400, ""],
    [{ kind: "shutdown", message: "a".repeat(200) }, 4503, "a".repeat(123)],
    // Cut between characters: 61 of two bytes each are 122 bytes.
    [{ kind: "shutdown", message: "ä".repeat(200) }, 4503, "ä".repeat(61)],
    [{ kind: "shutdown", message: "\u{1f600}".repeat(200) }, 4503, "\u{1f600}".repeat(30)],
    [{ kind: "shutdown", message: "\ud800" }, 4503, "\ufffd"],
  ] as const;
  for (const [why, code, reason] of cases) {
    await using server = await TestServer.start();
    const client = await openSocket(server.url);
    const closed = closing(client);
    const { transport, observer } = await server.newest();
    transport.close(why);
    assertEquals(observer.told, ["[closed]"]);
    assertEquals(await settled(closed, "the close frame"), { code, reason });
    await transport.flushed();
  }
});

Deno.test("what was sent before the end arrives before it", async () => {
  await using server = await TestServer.start();
  const client = await openSocket(server.url);
  const { transport } = await server.newest();
  let bytes = 0;
  client.onmessage = ({ data }) => bytes += data.length;
  for (let sent = 0; sent < 64; sent++) transport.send("x".repeat(SATURATED_BYTES / 16));
  const closed = closing(client);
  transport.close({ kind: "shutdown", message: "" });
  await transport.flushed();
  assertEquals((await closed).code, 4503);
  assertEquals(bytes, SATURATED_BYTES * 4);
});

Deno.test("the end is told once, and nothing goes in or out after it", async () => {
  await using server = await TestServer.start();
  const client = await openSocket(server.url);
  const { transport, observer } = await server.newest();
  const deliver = observer.message.bind(observer);
  observer.message = (frame) => {
    deliver(frame);
    transport.close({ kind: "protocolError", message: "" });
  };
  const got: unknown[] = [];
  client.onmessage = ({ data }) => got.push(data);
  const closed = closing(client);
  for (const text of ["first", "late", "later"]) client.send(text);
  await observer.over;
  transport.send("late");
  transport.close({ kind: "shutdown", message: "" });
  await closed;
  assertEquals([observer.told, got], [["first", "[closed]"], []]);
});

Deno.test("a client that vanishes without a word has ended its connection", async () => {
  await using server = await TestServer.start();
  const connections = await Promise.all(Array.from({ length: 20 }, () => openByHand(server.port)));
  await eventually(() => server.accepted.length === 20, "all connections");
  for (const connection of connections) connection.close();
  const ends = server.accepted.map(({ observer }) => observer.over);
  await settled(Promise.all(ends), "the end of all connections");
});

Deno.test("a client that does not read saturates its connection until it does", async () => {
  await using server = await TestServer.start();
  using client = await openByHand(server.port);
  const { transport, observer } = await server.newest();
  const chunk = "x".repeat(SATURATED_BYTES / 8);
  // More than the kernel keeps on the way.
  for (let sent = 0; sent < 64 && !transport.saturated; sent++) {
    transport.send(chunk);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert(transport.saturated);
  assertEquals(observer.told, []);
  const buffer = new Uint8Array(chunk.length);
  // All that was sent may have been read before the other side notices.
  const read = async () => {
    while (observer.told.length === 0 && await client.read(buffer) !== null);
  };
  const reading = read();
  await eventually(() => observer.told.length > 0, "the connection to drain");
  assertEquals([observer.told, transport.saturated], [["[drained]"], false]);
  transport.close({ kind: "shutdown", message: "" });
  await settled(reading, "the end of reading");
});

Deno.test("nobody waits for a saturated connection that has ended", async () => {
  await using server = await TestServer.start();
  using client = await openByHand(server.port);
  const { transport, observer } = await server.newest();
  for (let sent = 0; sent < 64; sent++) transport.send("x".repeat(SATURATED_BYTES / 8));
  assert(transport.saturated);
  transport.close({ kind: "overload", message: "" });
  assertEquals([transport.saturated, observer.told], [false, ["[closed]"]]);
  // It reads nothing, so that it would never answer a close frame: the connection is cut.
  const buffer = new Uint8Array(SATURATED_BYTES);
  const read = async () => {
    while (await client.read(buffer) !== null);
  };
  await settled(read().catch(() => {}), "the end of the connection");
});
