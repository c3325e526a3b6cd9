import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  type ClientOptions,
  ConnectionError,
  type ConnectionErrorCode,
  type Endpoint,
  ErrorCode,
  ExecServerClient,
  RpcError,
} from "../../src/client/mod.ts";
import { CERTIFICATE, KEY } from "../support/localhost_certificate.ts";
import { ScriptedExecutor, SILENCE } from "../support/scripted_executor.ts";

async function refusalOf(
  endpoint: Endpoint,
  options: ClientOptions = {},
): Promise<ConnectionError> {
  return await assertRejects(() => ExecServerClient.connect(endpoint, options), ConnectionError);
}

/** A server that answers every connection's first bytes with these, or not at all. */
async function withRawServer(
  answer: string | undefined,
  test: (url: string) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.Conn[] = [];
  const serving = (async () => {
    for await (const connection of listener) {
      connections.push(connection);
      if (answer === undefined) continue;
      await connection.read(new Uint8Array(4096));
      await connection.write(new TextEncoder().encode(answer));
      connection.closeWrite();
    }
  })();
  try {
    await test(`ws://127.0.0.1:${listener.addr.port}`);
  } finally {
    listener.close();
    await serving;
    for (const connection of connections) connection.close();
  }
}

const accept = [
  "HTTP/1.1 101 Switching Protocols",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
];

for (
  const [what, answer, code] of [
    ["closes at once", "", "unreachable"],
    ["breaks off", "HTTP/1.1 10", "unreachable"],
    ["speaks another protocol", "220 mail.example ESMTP\r\n", "notAnExecutor"],
    ["is a web server", "HTTP/1.1 200 OK\r\n\r\n<html>", "notAnExecutor"],
    ["has nothing there", "HTTP/1.1 404 Not Found\r\n\r\n", "notAnExecutor"],
    ["wants a token", "HTTP/1.1 401 Unauthorized\r\n\r\n", "unauthorized"],
    ["forbids it", "HTTP/1.1 403 Forbidden\r\n\r\nno\n", "unauthorized"],
    ["is shutting down", "HTTP/1.1 503 Service Unavailable\r\n\r\n", "unreachable"],
    ["shakes hands wrongly", [...accept, "", ""].join("\r\n"), "notAnExecutor"],
    ["has an endless head", `HTTP/1.1 101 X\r\nX: ${"x".repeat(20_000)}`, "notAnExecutor"],
  ] as const satisfies [string, string, ConnectionErrorCode][]
) {
  Deno.test(`a server that ${what} gives the error ${code}`, async () => {
    await withRawServer(answer, async (url) => {
      assertEquals((await refusalOf(url)).code, code);
    });
  });
}

Deno.test("a server that says nothing times out", async () => {
  await withRawServer(undefined, async (url) => {
    assertEquals((await refusalOf(url, { connectTimeoutMs: 50 })).code, "timeout");
  });
});

Deno.test("a server that says nothing to a TLS handshake times out", async () => {
  await withRawServer(undefined, async (url) => {
    const encrypted = url.replace("ws:", "wss:");
    assertEquals((await refusalOf(encrypted, { connectTimeoutMs: 50 })).code, "timeout");
  });
});

Deno.test("an executor that does not answer initialize times out", async () => {
  await using executor = new ScriptedExecutor(() => SILENCE);
  assertEquals((await refusalOf(executor.url, { connectTimeoutMs: 50 })).code, "timeout");
});

Deno.test("an executor that refuses a session says why", async () => {
  await using executor = new ScriptedExecutor(() => {
    throw new RpcError(ErrorCode.InvalidRequest, "not today");
  });
  const error = await refusalOf(executor.url);
  assertEquals(error.code, "notAnExecutor");
  assertStringIncludes(error.message, "not today");
});

Deno.test("a refusal rejects what was sent behind the request for a session", async () => {
  await using executor = new ScriptedExecutor(({ method }) => {
    if (method !== "initialize") return SILENCE;
    throw new RpcError(ErrorCode.InvalidRequest, "not today");
  });
  const client = await ExecServerClient.connect(executor.url, { pipelined: true });
  await assertRejects(() => client.environmentInfo(), ConnectionError, "not today");
  await assertRejects(() => client.opened, ConnectionError, "not today");
});

Deno.test({
  name: "nobody there is unreachable, by name, by port and by path",
  // Deno keeps a small thing for every connection with a signal that fails.
  sanitizeResources: false,
  async fn() {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    for (const url of [`ws://127.0.0.1:${port}`, "ws://name.invalid:1", "unix:/nonexistent"]) {
      assertEquals((await refusalOf(url)).code, "unreachable", url);
    }
  },
});

Deno.test("text that is no endpoint is a mistake of the caller", async () => {
  for (const url of ["", "127.0.0.1:80", "http://127.0.0.1/", "ws://", "unix:", "ws://u:p@h/"]) {
    await assertRejects(() => ExecServerClient.connect(url), TypeError);
  }
});

Deno.test("the token goes into the upgrade request", async () => {
  const seen = Promise.withResolvers<string | null>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    seen.resolve(request.headers.get("authorization"));
    return new Response("wrong token", { status: 401 });
  });
  const error = await refusalOf(`ws://127.0.0.1:${server.addr.port}/path?query`, { token: "abc" });
  assertEquals(await seen.promise, "Bearer abc");
  assertStringIncludes(error.message, "wrong token");
  await server.shutdown();
});

Deno.test("a program that is not there is unreachable", async () => {
  assertEquals((await refusalOf({ command: ["/nonexistent"] })).code, "unreachable");
});

Deno.test("a program that ends at once is no executor for long", async () => {
  assertEquals((await refusalOf({ command: ["/bin/true"] })).code, "lost");
});

Deno.test("a program that says something else is no executor", async () => {
  const command: [string, ...string[]] = ["/bin/sh", "-c", "echo hello; cat >/dev/null"];
  assertEquals((await refusalOf({ command })).code, "notAnExecutor");
});

Deno.test("an executor behind TLS is reached by those who trust its certificate", async () => {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, cert: CERTIFICATE, key: KEY, onListen: () => {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = ({ data }) => {
        const { id } = JSON.parse(data);
        if (id !== undefined) socket.send(JSON.stringify({ id, result: { sessionId: "s" } }));
      };
      return response;
    },
  );
  const url = `wss://localhost:${server.addr.port}`;
  const client = await ExecServerClient.connect(url, { caCerts: [CERTIFICATE] });
  assertEquals((await client.opened).sessionId, "s");
  await client.close();
  assertEquals((await refusalOf(url)).code, "unreachable");
  await server.shutdown();
});
