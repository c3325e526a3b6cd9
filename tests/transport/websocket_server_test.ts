import { assert, assertEquals, assertRejects } from "@std/assert";
import { ListenError, serveWebSocket } from "../../src/transport/websocket_server.ts";
import { inDirectory } from "../support/recorded_child.ts";
import { closing, openSocket, TestServer } from "./test_server.ts";
import { socketsOn } from "./socket_facts.ts";

const nobody = { accept: () => {}, ready: () => true };
const UPGRADE = [
  "Host: localhost",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/** The status that an HTTP request written by hand is answered with. */
async function statusOf(port: number, line: string, headers: readonly string[]): Promise<number> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const request = [`${line} HTTP/1.1`, ...headers, "", ""].join("\r\n");
  await connection.write(new TextEncoder().encode(request));
  const answer = new Uint8Array(1000);
  const length = await connection.read(answer) ?? 0;
  return Number(new TextDecoder().decode(answer.subarray(0, length)).split(" ")[1]);
}

Deno.test("requests are answered by what they are", async () => {
  await using server = await TestServer.start();
  const without = (name: string) => UPGRADE.filter((header) => !header.startsWith(name));
  const cases: [line: string, headers: readonly string[], status: number, draining: number][] = [
    ["GET /livez", ["Host: localhost"], 200, 200],
    ["GET /healthz", ["Host: localhost"], 200, 200],
    ["GET /readyz", ["Host: localhost"], 200, 503],
    ["GET /readyz?a=b", ["Host: localhost"], 200, 503],
    ["GET /", ["Host: localhost"], 426, 426],
    ["GET /readyz/", ["Host: localhost"], 426, 426],
    ["GET /", UPGRADE, 101, 503],
    ["GET /any/path?a=b", UPGRADE, 101, 503],
    ["GET /", [...without("Upgrade"), "upgrade: WebSocket"], 101, 503],
    ["GET /", [...without("Host"), "Host: elsewhere.example:1"], 403, 403],
    ["GET /", without("Connection"), 400, 503],
    ["GET /", without("Sec-WebSocket-Key"), 400, 503],
    ["GET /", without("Sec-WebSocket-Version"), 400, 400],
    ["GET /", [...without("Sec-WebSocket-Version"), "Sec-WebSocket-Version: 8"], 400, 400],
    ["GET /", [...without("Host"), "Host: a b"], 400, 400],
    ["GET /", [...without("Host"), "Host: ["], 400, 400],
    ["GET /", [...UPGRADE, "Origin: http://evil.example"], 403, 403],
    ["GET /", [...UPGRADE, "Origin: null"], 403, 403],
    ["GET /", [...UPGRADE, "Origin:"], 403, 403],
    ["GET /readyz", ["Host: localhost", "Origin: http://127.0.0.1"], 403, 403],
  ];
  for (const [line, headers, status, draining] of cases) {
    const name = `${line} ${headers.join(", ")}`;
    server.ready = true;
    assertEquals(await statusOf(server.port, line, headers), status, name);
    server.ready = false;
    assertEquals(await statusOf(server.port, line, headers), draining, name);
  }
  assertEquals(server.accepted.length, cases.filter(([, , status]) => status === 101).length);
});

Deno.test({
  name: "accepted connections send small messages at once",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using server = await TestServer.start();
    const client = await openSocket(server.url);
    await server.newest();
    const accepted = socketsOn(server.port).filter(({ listening }) => !listening);
    assertEquals(accepted.map(({ noDelay, keepAlive }) => ({ noDelay, keepAlive })), [
      { noDelay: true, keepAlive: true },
    ]);
    const closed = closing(client);
    client.close();
    await closed;
  },
});

Deno.test("a port that is taken is refused in words", async () => {
  await using server = await TestServer.start();
  const again = { kind: "websocket", hostname: "127.0.0.1", port: server.port } as const;
  await assertRejects(
    () => serveWebSocket(again, nobody),
    ListenError,
    `cannot listen on ws://127.0.0.1:${server.port}: `,
  );
});

Deno.test("after stop nobody is accepted, and who has been is served on", async () => {
  await using server = await TestServer.start();
  const client = await openSocket(server.url);
  const { transport } = await server.newest();
  server.stop();
  await assertRejects(() => openSocket(server.url), Error, "cannot connect");
  const got = new Promise((resolve) => client.onmessage = ({ data }) => resolve(data));
  transport.send("still here");
  assertEquals(await got, "still here");
  const closed = closing(client);
  client.close();
  await closed;
});

Deno.test("a socket file lets in its owner alone, and is put in place of a dead one", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/socket`;
    const bind = "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])";
    await new Deno.Command("python3", { args: ["-c", bind, path] }).output();
    assertEquals(Deno.lstatSync(path).isSocket, true);
    const server = await serveWebSocket({ kind: "unix", path }, nobody);
    try {
      assertEquals(server.url, `unix:${path}`);
      assertEquals((Deno.lstatSync(path).mode ?? 0) & 0o777, 0o600);
      assertEquals(Deno.umask(), 0o22);
      await assertRejects(() => serveWebSocket({ kind: "unix", path }, nobody), ListenError, path);
      assert(Deno.lstatSync(path).isSocket);
    } finally {
      server.stop();
    }
  }));

Deno.test("a file that is no socket is not replaced", () =>
  inDirectory(async (directory) => {
    const [file, link] = [`${directory}/file`, `${directory}/link`];
    Deno.writeTextFileSync(file, "precious");
    Deno.symlinkSync(file, link);
    for (const path of [file, link, directory, `${directory}/no/such`]) {
      await assertRejects(() => serveWebSocket({ kind: "unix", path }, nobody), ListenError, path);
    }
    assertEquals(Deno.readTextFileSync(file), "precious");
    assertEquals(Deno.readLinkSync(link), file);
  }));
