import { assertEquals } from "@std/assert";
import { HandshakeWatch } from "../../src/transport/handshake_watch.ts";
import { serveWebSocket } from "../../src/transport/websocket_server.ts";
import { closing, openSocket } from "./test_server.ts";

Deno.test({
  name: "connections that do not become WebSockets are ended, the others are not",
  ignore: Deno.build.os === "windows",
  async fn() {
    for (const hostname of ["127.0.0.1", "::"]) {
      const server = await serveWebSocket({ kind: "websocket", hostname, port: 0 }, {
        accept: (transport) =>
          transport.open({
            message: (text) => transport.send(text),
            unreadable() {},
            drained() {},
            closed() {},
          }),
        ready: () => true,
        handshakePatienceMs: 20,
      });
      const port = Number(server.url.slice(server.url.lastIndexOf(":") + 1));
      const socket = await openSocket(`ws://127.0.0.1:${port}`);
      // Each is looked at several times by the time the last has ended.
      for (const sent of ["", "GET / HTT", "GET /livez HTTP/1.1\r\nHost: a\r\n", "", ""]) {
        using connection = await Deno.connect({ hostname: "127.0.0.1", port });
        await connection.write(new TextEncoder().encode(sent));
        await ended(connection);
      }
      const echo = new Promise((resolve) => socket.onmessage = ({ data }) => resolve(data));
      socket.send("still here");
      assertEquals(await echo, "still here");
      const closed = closing(socket);
      socket.close();
      await closed;
      server.stop();
    }
  },
});

Deno.test({
  name: "a connection is not overdue because this program is slow",
  ignore: Deno.build.os === "windows",
  async fn() {
    const patienceMs = 100;
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    using _watch = new HandshakeWatch(listener.addr.port, patienceMs);
    using client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    using accepted = await listener.accept();
    for (let turn = 0; turn < 4; turn++) {
      busyFor(patienceMs);
      await new Promise((resolve) => setTimeout(resolve));
    }
    await client.write(new Uint8Array(1));
    assertEquals(await accepted.read(new Uint8Array(1)), 1);
    assertEquals(await client.read(new Uint8Array(1)), null);
  },
});

Deno.test({
  name: "a connection is not overdue while it is found out who connects",
  ignore: Deno.build.os === "windows",
  async fn() {
    const server = await serveWebSocket({ kind: "websocket", hostname: "127.0.0.1", port: 0 }, {
      accept: (transport) =>
        transport.open({ message() {}, unreadable() {}, drained() {}, closed() {} }),
      ready: () => true,
      handshakePatienceMs: 20,
      // Long enough for others to be overdue.
      checkPeer: async (_, port = 0) => {
        for (let other = 0; other < 3; other++) {
          using connection = await Deno.connect({ hostname: "127.0.0.1", port });
          await ended(connection);
        }
        return undefined;
      },
    });
    const socket = await openSocket(server.url);
    const closed = closing(socket);
    socket.close();
    await closed;
    server.stop();
  },
});

/** Reads until the other side ends the connection, in whichever way. */
async function ended(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(1000);
  while (await connection.read(buffer).catch(() => null) !== null);
}

function busyFor(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
