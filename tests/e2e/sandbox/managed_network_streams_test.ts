import { assertEquals, assertMatch } from "@std/assert";
import { command, outputOf, start } from "../support/commands.ts";
import { eventually } from "../../support/patience.ts";
import { received, serveLoopback, unusedPort, writeAll } from "./support/http_proxy.ts";
import { managed } from "./support/managed.ts";
import { python } from "./support/python.ts";
import { testSandboxed } from "./support/sandboxed.ts";

testSandboxed("managed network: one half of a connection ends before the other", async (scene) => {
  await using server = serveLoopback(async (connection) => {
    const chunks = await Array.fromAsync(received(connection));
    for (const chunk of chunks) await writeAll(connection, chunk);
  });
  const script = python(`
import hashlib
data = os.urandom(1 << 20) * 24
client = socket.create_connection(("127.0.0.1", ${server.port}))
client.sendall(data)
client.shutdown(socket.SHUT_WR)
answer = client.makefile("rb").read()
print(hashlib.sha256(answer).digest() == hashlib.sha256(data).digest())
`);
  const { stdout, stderr } = await scene.run(script, managed([server.port]));
  assertEquals([stderr, stdout], ["", "True\n"]);
});

testSandboxed("managed network: many connections at once and after each other", async (scene) => {
  await using server = serveLoopback(async (connection) => {
    const buffer = new Uint8Array(16);
    const count = await connection.read(buffer) ?? 0;
    await writeAll(connection, buffer.subarray(0, count));
  });
  const script = python(`
for _ in range(2):
    clients = [socket.create_connection(("127.0.0.1", ${server.port})) for _ in range(400)]
    for number, client in enumerate(clients): client.sendall(b"%d" % number)
    answers = [client.makefile("rb").read() for client in clients]
    print(answers == [b"%d" % number for number in range(400)])
    clients.clear()
`);
  const { stdout, stderr } = await scene.run(script, managed([server.port]));
  assertEquals([stderr, stdout], ["", "True\nTrue\n"]);
});

testSandboxed("managed network: whoever does not read makes the other wait", async (scene) => {
  const { client, enclosed } = scene;
  const released = Promise.withResolvers<void>();
  let count = 0;
  await using server = serveLoopback(async (connection) => {
    await released.promise;
    for await (const chunk of received(connection)) count += chunk.length;
    await writeAll(connection, "read");
  });
  const script = python(`
client = socket.create_connection(("127.0.0.1", ${server.port}))
client.settimeout(0.5)
sent = 0
try:
    while sent < 256 << 20: sent += client.send(bytes(1 << 20))
except TimeoutError: pass
print(sent, flush=True)
client.settimeout(30)
client.shutdown(socket.SHUT_WR)
print(client.recv(4).decode())
`);
  await start(client, command("p", script, { ...enclosed, ...managed([server.port]) }));
  const sent = Number(outputOf([await client.event("p")], "stdout"));
  // As much as the kernel's buffers hold, and no more.
  assertEquals(sent > 0 && sent < 64 << 20, true, `${sent}`);
  released.resolve();
  assertEquals(outputOf(await client.events("p"), "stdout"), "read\n");
  assertEquals(count, sent);
});

testSandboxed("managed network: broken connections break on the other side too", async (scene) => {
  const port = unusedPort();
  await using server = serveLoopback(async (connection, requests) => {
    try {
      for await (const chunk of received(connection)) await writeAll(connection, chunk);
      requests.push("ended");
    } catch (error) {
      requests.push(error instanceof Error ? error.name : "");
    }
  });
  const script = python(`
import struct
def talk(port):
    with socket.create_connection(("127.0.0.1", port), 20) as client: print(client.recv(1))
say(lambda: talk(${port}))
client = socket.create_connection(("127.0.0.1", ${server.port}))
client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
client.sendall(b"x")
client.recv(1)
client.close()
`);
  const { stdout, stderr } = await scene.run(script, managed([port, server.port]));
  assertEquals(stderr, "");
  assertMatch(stdout, /^(ECONNRESET|ECONNREFUSED)\n$/);
  await eventually(() => server.requests.length > 0, "the end of the broken connection");
  assertEquals(server.requests, ["ConnectionReset"]);
});

testSandboxed(
  "managed network: what was sent last arrives after the command's end",
  async (scene) => {
    const text = "last words".repeat(10_000);
    await using server = serveLoopback(async (connection, requests) => {
      const chunks = await Array.fromAsync(received(connection));
      requests.push(await new Blob(chunks.map((chunk) => new Uint8Array(chunk))).text());
    });
    const script = python(`
client = socket.create_connection(("127.0.0.1", ${server.port}))
client.sendall(b"last words" * 10000)
os._exit(0)
`);
    for (let round = 1; round <= 5; round++) {
      assertEquals((await scene.run(script, managed([server.port]))).exitCode, 0);
      await eventually(() => server.requests.length === round, "the last words");
    }
    assertEquals(server.requests, Array(5).fill(text));
  },
);
