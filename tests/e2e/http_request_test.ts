import { assert, assertEquals, assertObjectMatch } from "@std/assert";
import { ScriptedServer, type Turn } from "../support/scripted_server.ts";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { testBoth, testWebSocket } from "./support/both_transports.ts";
import { isRecord, type Message, parseMessage } from "./support/inbox.ts";
import { ListeningExecutor } from "./support/executor.ts";
import { eventually, settled } from "../support/patience.ts";
import type { RawClient } from "./support/raw_client.ts";
import { Opcode, RawSocket } from "./support/raw_socket.ts";

const MIB = 1024 * 1024;

function http(client: RawClient, params: Record<string, unknown>): Promise<Message> {
  return client.request("http/request", { method: "GET", headers: [], requestId: "r", ...params });
}

/** The parameters of a body's next piece. */
async function delta(client: RawClient, requestId: string): Promise<Record<string, unknown>> {
  const matches = ({ params }: Message) => isRecord(params) && params.requestId === requestId;
  const { message } = await client.inbox.next(matches, `a piece of ${requestId}`);
  assertEquals(message.method, "http/request/bodyDelta");
  return Object(message.params);
}

/** Reads a body to its end. The pieces come in order. */
async function streamedBody(
  client: RawClient,
  requestId: string,
): Promise<{ body: string; error: unknown }> {
  let body = "";
  for (let seq = 1;; seq++) {
    const piece = await delta(client, requestId);
    assertEquals(piece.seq, seq);
    body += atob(String(piece.deltaBase64));
    if (piece.done) return { body, error: piece.error };
    assertEquals(piece.error, null);
  }
}

const CODINGS: Readonly<Record<string, (body: Uint8Array) => Uint8Array>> = {
  gzip: gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
};

/** Gives what a request holds in the coding that its path names. */
async function coding({ path, request, send }: Turn): Promise<void> {
  const body = CODINGS[path]?.(new TextEncoder().encode(request.body)) ?? new Uint8Array();
  await send(
    `HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Encoding: ${path}\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  await send(body);
}

async function origin({ path, request, send, clientGone }: Turn): Promise<void> {
  switch (path) {
    case "echo":
      return await send(
        `HTTP/1.1 200 OK\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: ${request.body.length}\r\n\r\n` +
          request.body,
      );
    case "silence":
      return await clientGone;
    case "stall":
      await send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
      return await clientGone;
    case "cut":
      return await send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    default:
      return await send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  }
}

testBoth("a request is answered with status, headers and body", async ({ open }) => {
  using server = new ScriptedServer(origin);
  await using client = await open();
  const bodyBase64 = Uint8Array.from({ length: 256 }, (_, index) => index).toBase64();
  const answer = await http(client, { url: server.url("echo"), method: "POST", bodyBase64 });
  assertEquals(answer.result, {
    status: 200,
    headers: [
      { name: "x-a", value: "1" },
      { name: "x-a", value: "2" },
      { name: "content-length", value: "256" },
    ],
    bodyBase64,
  });
});

testBoth("members that may be left out or null", async ({ open }) => {
  using server = new ScriptedServer(origin);
  await using client = await open();
  const nulls = { headers: null, bodyBase64: null, timeoutMs: null, redirectPolicy: null };
  for (const members of [{ headers: undefined }, { ...nulls, streamResponse: null }]) {
    const { result } = await http(client, { url: server.url("nowhere"), ...members });
    assertObjectMatch(Object(result), { status: 404, bodyBase64: "" });
  }
});

testBoth("a redirect to another origin tells it no path and no query", async ({ open }) => {
  using server = new ScriptedServer(async (turn) => {
    if (!turn.path.startsWith("other")) return await origin(turn);
    await turn.send(
      `HTTP/1.1 302 Found\r\nLocation: ${server.url("echo", "localhost")}\r\n` +
        "Content-Length: 0\r\n\r\n",
    );
  });
  await using client = await open();
  const url = server.url("other?token=SECRET#f").replace("//", "//u:p@");
  assertObjectMatch(await http(client, { url }), { result: { status: 200 } });
  const referer = server.seen[1]?.head.find((line) => line.startsWith("referer: "));
  assertEquals(referer, `referer: ${server.url()}`);
});

testBoth("a streamed body follows its answer in numbered pieces", async ({ open }) => {
  using server = new ScriptedServer(origin);
  await using client = await open();
  const body = "0123456789".repeat(50_000);
  const answer = await http(client, {
    url: server.url("echo"),
    method: "POST",
    bodyBase64: btoa(body),
    streamResponse: true,
  });
  assertObjectMatch(Object(answer.result), { status: 200, bodyBase64: "" });
  assertEquals(await streamedBody(client, "r"), { body, error: null });
});

testBoth("an empty body is one piece, the last", async ({ open }) => {
  using server = new ScriptedServer(origin);
  await using client = await open();
  await http(client, { url: server.url("nowhere"), streamResponse: true });
  assertEquals(await delta(client, "r"), {
    requestId: "r",
    seq: 1,
    deltaBase64: "",
    done: true,
    error: null,
  });
});

testBoth("a coded body is decoded, whole or streamed", async ({ open }) => {
  using server = new ScriptedServer(coding);
  await using client = await open();
  const headers = [{ name: "x-a", value: "1" }];
  const body = "0123456789".repeat(50_000);
  const bodyBase64 = btoa(body);
  for (const name of Object.keys(CODINGS)) {
    const request = { url: server.url(name), method: "POST", bodyBase64 };
    const whole = await http(client, request);
    assertEquals(whole.result, { status: 200, headers, bodyBase64 }, name);
    const streamed = await http(client, { ...request, streamResponse: true });
    assertEquals(streamed.result, { status: 200, headers, bodyBase64: "" });
    assertEquals(await streamedBody(client, "r"), { body, error: null }, name);
  }
});

testBoth("a coded body that breaks off, stalls or never ends is an error", async ({ open }) => {
  const head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n";
  using server = new ScriptedServer(async ({ path, send, clientGone }) => {
    await send(head);
    if (path === "stall") {
      await send(gzipSync("hello").subarray(0, -1));
      return await clientGone;
    }
    if (path === "cut") return await send(gzipSync("hello").subarray(0, -1));
    const member = gzipSync(new Uint8Array(64 * MIB));
    for (;;) await send(member);
  });
  await using client = await open();
  const failed = (reason: string) => ({
    code: -32603,
    message: `failed to read http/request response body: ${reason}`,
  });
  const broken = "error decoding response body";
  for (const params of [{ url: server.url("cut") }, { url: server.url("stall"), timeoutMs: 300 }]) {
    assertEquals((await http(client, params)).error, failed(broken));
    await http(client, { ...params, streamResponse: true });
    assertEquals((await streamedBody(client, "r")).error, broken);
  }
  assertEquals(
    (await http(client, { url: server.url("endless") })).error,
    failed(`larger than ${32 * MIB} bytes; ask for it as a stream`),
  );
  assert(isRecord((await client.request("environment/info")).result));
});

testBoth("a body that breaks off says so in its last piece", async ({ open }) => {
  using server = new ScriptedServer(origin);
  await using client = await open();
  await http(client, { url: server.url("cut"), streamResponse: true });
  const expected = { body: "abc", error: "error decoding response body" };
  assertEquals(await streamedBody(client, "r"), expected);
  assertEquals((await http(client, { url: server.url("cut") })).error, {
    code: -32603,
    message: "failed to read http/request response body: error decoding response body",
  });
});

testBoth("an id is reserved until the last piece", async ({ open }) => {
  const finish = Promise.withResolvers<void>();
  using server = new ScriptedServer(async (turn) => {
    if (turn.path !== "slow") return await origin(turn);
    await turn.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
    await finish.promise;
    await turn.send("def");
  });
  await using client = await open();
  const duplicate = {
    code: -32602,
    message: "http/request streamResponse requestId `r` is already active",
  };
  const slow = { url: server.url("slow"), streamResponse: true };
  const [first, second] = await Promise.all([http(client, slow), http(client, slow)]);
  assertObjectMatch(first, { result: { status: 200 } });
  assertEquals(second.error, duplicate);
  // The check comes before all others, and a request with an answer of its own needs no id.
  assertEquals((await http(client, { ...slow, url: "nonsense" })).error, duplicate);
  const nowhere = server.url("nowhere");
  assertObjectMatch(await http(client, { url: nowhere }), { result: { status: 404 } });
  finish.resolve();
  assertEquals(await streamedBody(client, "r"), { body: "abcdef", error: null });
  assertObjectMatch(await http(client, { ...slow, url: nowhere }), { result: { status: 404 } });
});

testBoth("an id is free again when there was no response", async ({ open }) => {
  using server = new ScriptedServer(origin);
  await using client = await open();
  for (const url of ["http://127.0.0.1:1/", "ftp://x/", "nonsense"]) {
    assert(isRecord((await http(client, { url, streamResponse: true })).error), url);
  }
  const answer = await http(client, { url: server.url("nowhere"), streamResponse: true });
  assertObjectMatch(answer, { result: { status: 404 } });
});

testBoth("a timeout holds for the whole request, its body included", async ({ open }) => {
  using server = new ScriptedServer(origin);
  await using client = await open();
  const noResponse = (url: string) => ({
    code: -32603,
    message: `http/request failed: error sending request for url (${url})`,
  });
  const silence = server.url("silence");
  assertEquals((await http(client, { url: silence, timeoutMs: 100 })).error, noResponse(silence));
  assertEquals((await http(client, { url: silence, timeoutMs: 0 })).error, noResponse(silence));
  const stall = { url: server.url("stall"), timeoutMs: 300 };
  assertEquals((await http(client, stall)).error, {
    code: -32603,
    message: "failed to read http/request response body: error decoding response body",
  });
  await http(client, { ...stall, streamResponse: true });
  const expected = { body: "abc", error: "error decoding response body" };
  assertEquals(await streamedBody(client, "r"), expected);
});

testBoth("a timeout ends a handshake that is not answered", async ({ open }) => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using client = await open();
  const url = `https://127.0.0.1:${listener.addr.port}/`;
  const answer = http(client, { url, timeoutMs: 200 });
  using _connection = await listener.accept();
  assertEquals((await answer).error, {
    code: -32603,
    message: `http/request failed: error sending request for url (${url})`,
  });
});

testBoth("a timeout also ends a request that waits for its turn", async ({ open }) => {
  using server = new ScriptedServer(origin);
  await using client = await open();
  const url = server.url("silence");
  for (let index = 0; index < 40; index++) void http(client, { url }).catch(() => {});
  assertEquals((await http(client, { url, timeoutMs: 100 })).error, {
    code: -32603,
    message: `http/request failed: error sending request for url (${url})`,
  });
});

testBoth("a request without an answer holds up no other", async ({ open }) => {
  using server = new ScriptedServer(origin);
  await using client = await open();
  void http(client, { url: server.url("silence") }).catch(() => {});
  await http(client, { url: server.url("stall"), requestId: "s", streamResponse: true });
  assertObjectMatch(await http(client, { url: server.url("nowhere") }), {
    result: { status: 404 },
  });
  assert(isRecord((await client.request("environment/info")).result));
});

testWebSocket("a connection's end ends its requests and bodies", async ({ open }) => {
  const ended = Promise.withResolvers<void>();
  let running = 0;
  using server = new ScriptedServer(async (turn) => {
    running++;
    await origin(turn);
    if (--running === 0) ended.resolve();
  });
  const client = await open();
  void http(client, { url: server.url("silence") }).catch(() => {});
  await http(client, { url: server.url("stall"), streamResponse: true });
  await eventually(() => running === 2, "both requests");
  await client.close();
  await settled(ended.promise, "the end of both requests");
});

/** A client that has asked for a streamed response with id 2, and reads nothing unless it is told to. */
async function slowReader(executor: string, url: string, more: object = {}): Promise<RawSocket> {
  const slow = await RawSocket.open(executor);
  const request = (id: number, method: string, params: unknown) =>
    slow.send(Opcode.Text, JSON.stringify({ id, method, params }));
  await request(1, "initialize", { clientName: "slow reader" });
  await slow.next();
  await slow.send(Opcode.Text, '{"method":"initialized"}');
  const params = { method: "GET", url, requestId: "r", streamResponse: true, ...more };
  await request(2, "http/request", params);
  return slow;
}

Deno.test("a client that stops reading stops the server, and loses nothing", async () => {
  const total = 64 * MIB;
  let sent = 0;
  using server = new ScriptedServer(async ({ send }) => {
    await send(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
    const piece = new Uint8Array(MIB);
    for (; sent < total; sent += MIB) await send(piece);
  });
  await using executor = await ListeningExecutor.start();
  using slow = await slowReader(executor.url, server.url());
  let before = -1;
  const stopped = () => {
    const still = sent > 0 && sent === before;
    before = sent;
    return still;
  };
  await eventually(stopped, "a server that waits for room", { pollMs: 300 });
  assert(sent < total, "everything was read though nobody took it");
  assertObjectMatch(parseMessage(await slow.nextText()), { id: 2, result: { status: 200 } });
  let received = 0;
  for (let seq = 1;; seq++) {
    const params = Object(parseMessage(await slow.nextText()).params);
    assertEquals(params.seq, seq);
    received += atob(params.deltaBase64).length;
    if (params.done) break;
  }
  assertEquals(received, total);
});

Deno.test("what becomes much is decoded no faster than the client reads, until its time is up", async () => {
  const gone = Promise.withResolvers<void>();
  const member = gzipSync(new Uint8Array(64 * MIB));
  using server = new ScriptedServer(async ({ send, clientGone }) => {
    await send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n");
    try {
      // 4 GiB, in 4 MiB.
      for (let sent = 0; sent < 64; sent++) await send(member);
    } finally {
      await clientGone;
      gone.resolve();
    }
  });
  await using executor = await ListeningExecutor.start();
  using slow = await slowReader(executor.url, server.url(), { timeoutMs: 2000 });
  await settled(gone.promise, "the end of the connection");
  await slow.nextText();
  let received = 0;
  for (;;) {
    const params = Object(parseMessage(await slow.nextText()).params);
    received += atob(params.deltaBase64).length;
    if (!params.done) continue;
    assertEquals(params.error, "error decoding response body");
    break;
  }
  assert(received < 64 * MIB, `${received} bytes were decoded though nobody took them`);
});

testBoth("answers to what cannot be sent", async ({ open }) => {
  await using client = await open();
  const url = "http://127.0.0.1:1/";
  const cases: [params: Record<string, unknown>, code: number, message: string][] = [
    [{ url: "ftp://x/" }, -32602, "http/request only supports http and https URLs, got ftp"],
    [{ url: "nonsense" }, -32602, "http/request url is invalid: relative URL without a base"],
    [{ url, method: "A B" }, -32602, "http/request method is invalid: invalid HTTP method"],
    [
      { url, headers: [{ name: "bad name", value: "x" }] },
      -32602,
      "http/request header name is invalid: invalid HTTP header name",
    ],
    [
      { url, headers: [{ name: "X", value: "a\nb" }] },
      -32602,
      "http/request header value is invalid for X: failed to parse header value",
    ],
    [{ url }, -32603, `http/request failed: error sending request for url (${url})`],
    [
      { url: "http://no-such-host.invalid/" },
      -32603,
      "http/request failed: error sending request for url (http://no-such-host.invalid/)",
    ],
  ];
  for (const [params, code, message] of cases) {
    assertEquals((await http(client, params)).error, { code, message });
  }
  for (
    const params of [
      { url, headers: [{ name: "X" }] },
      { url, redirectPolicy: "x" },
      { url, bodyBase64: "!!" },
      { url, timeoutMs: -1 },
      { url, timeoutMs: "1" },
      { url, requestId: 5 },
      { url, requestId: undefined },
    ]
  ) {
    assertObjectMatch(await http(client, params), { error: { code: -32602 } });
  }
});
