import { assert, assertEquals, assertObjectMatch } from "@std/assert";
import { ListeningExecutor } from "../support/executor.ts";
import { RawSocket, UPGRADE } from "../support/raw_socket.ts";
import { connectWebSocket } from "../support/websocket_client.ts";

type Headers = Readonly<Record<string, string>>;

/** Requests and their status. */
const REQUESTS: readonly (readonly [
  method: string,
  target: string,
  headers: Headers,
  status: number,
])[] = [
  ["GET", "/readyz", {}, 200],
  ["HEAD", "/readyz", {}, 200],
  ["GET", "/readyz?x=1", {}, 200],
  ["GET", "/readyz", { host: "anything" }, 200],
  ["GET", "/readyz", UPGRADE, 200],
  ["GET", "/healthz", {}, 200],
  ["GET", "/livez", {}, 200],

  ["GET", "/", UPGRADE, 101],
  ["GET", "/?x=1", UPGRADE, 101],
  ["GET", "/", { ...UPGRADE, upgrade: "WebSocket", connection: "keep-alive, Upgrade" }, 101],
  ["GET", "/", { ...UPGRADE, authorization: "Bearer x" }, 101],
  ["GET", "/", { ...UPGRADE, "sec-websocket-extensions": "permessage-deflate" }, 101],

  ["GET", "/", {}, 426],
  ["POST", "/", { "content-length": "0" }, 426],
  ["GET", "/", without("sec-websocket-key"), 400],
  ["GET", "/", { ...UPGRADE, "sec-websocket-version": "12" }, 400],
  ["GET", "/", without("connection"), 400],

  // A web page can make a name of its own lead to this machine (DNS rebinding).
  ...[
    "localhost",
    "LOCALHOST:80",
    "localhost.",
    "a.localhost",
    "127.0.0.1",
    "127.9.9.9:80",
    "[::1]",
  ]
    .map((host) => ["GET", "/", { ...UPGRADE, host }, 101] as const),
  ...["anything", "evil.example:7901", "localhost.evil.example", "127.0.0.1.evil.example", "[::2]"]
    .map((host) => ["GET", "/", { ...UPGRADE, host }, 403] as const),

  // A web page's browser says where it comes from.
  ["GET", "/", { ...UPGRADE, origin: "http://evil.example" }, 403],
  ["GET", "/", { ...UPGRADE, origin: "null" }, 403],
  ["GET", "/", { ...UPGRADE, origin: "http://localhost" }, 403],
  ["GET", "/", { origin: "http://evil.example" }, 403],
  ["GET", "/readyz", { origin: "http://evil.example" }, 403],
  ["GET", "/livez", { origin: "" }, 403],
  ["GET", "/nope", { origin: "http://evil.example" }, 403],
];

Deno.test("the listener's answers to HTTP requests", async (t) => {
  await using executor = await ListeningExecutor.start();
  for (const [method, target, headers, status] of REQUESTS) {
    await t.step(`${method} ${target} ${JSON.stringify(headers)}`, async () => {
      using socket = await RawSocket.connect(executor.url);
      assertEquals((await socket.http(method, target, headers)).status, status);
    });
  }
});

Deno.test("an upgrade agrees on nothing that was not asked for", async () => {
  await using executor = await ListeningExecutor.start();
  using socket = await RawSocket.connect(executor.url);
  const { headers } = await socket.http("GET", "/", {
    ...UPGRADE,
    "sec-websocket-extensions": "permessage-deflate",
    "sec-websocket-protocol": "chat",
  });
  // The example of RFC 6455, section 1.3.
  assertEquals(headers.get("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  assert(!headers.has("sec-websocket-extensions"));
  assert(!headers.has("sec-websocket-protocol"));
});

Deno.test("the consent to a WebSocket tells the executor's directory", async () => {
  await using executor = await ListeningExecutor.start();
  await using client = await connectWebSocket(executor.url);
  using socket = await RawSocket.connect(executor.url);
  const { headers } = await socket.http("GET", "/", UPGRADE);
  const cwd = headers.get("remex-cwd");
  assert(cwd?.startsWith("file:///"));
  const answer = await client.request("initialize", { clientName: "conformance" });
  assertObjectMatch(answer, { result: { environmentInfo: { cwd } } });
});

Deno.test("refused requests do no harm to others", async () => {
  await using executor = await ListeningExecutor.start();
  await using client = await connectWebSocket(executor.url);
  for (const headers of [{}, { ...UPGRADE, origin: "http://evil.example" }]) {
    using socket = await RawSocket.connect(executor.url);
    await socket.http("GET", "/", headers);
  }
  await client.initialize();
  assertObjectMatch(await client.request("environment/info"), { result: {} });
});

function without(name: string): Headers {
  return Object.fromEntries(Object.entries(UPGRADE).filter(([header]) => header !== name));
}
