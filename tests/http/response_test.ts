import { assertEquals, assertStringIncludes } from "@std/assert";
import { MAX_BUFFERED_BODY_BYTES } from "../../src/http/perform.ts";
import { MAX_HEAD_BYTES } from "../../src/http/response.ts";
import { ask, failure } from "./requesting.ts";
import { ScriptedServer } from "../support/scripted_server.ts";

/** A server that says one thing to everybody. */
function saying(text: string): ScriptedServer {
  return new ScriptedServer(({ send }) => send(text));
}

const BROKEN_BODY = "failed to read http/request response body: error decoding response body";

Deno.test("headers of one name keep their order and stay apart", async () => {
  using server = saying(
    "HTTP/1.1 299 Odd Reason\r\nX-B: 1\r\nx-a: 2\r\nX-B: 3\r\nSet-Cookie: a=1\r\n" +
      "Set-Cookie: b=2\r\nX-Empty:\r\nX-Spaces: \t a  b \t\r\nContent-Length: 1\r\n\r\nx",
  );
  assertEquals(await ask(server.url()), {
    status: 299,
    headers: [
      "x-b: 1",
      "x-b: 3",
      "x-a: 2",
      "set-cookie: a=1",
      "set-cookie: b=2",
      "x-empty: ",
      "x-spaces: a  b",
      "content-length: 1",
    ],
    body: "x",
  });
});

Deno.test("values beyond ASCII are read as UTF-8 if they are that, else as Latin-1", async () => {
  using server = saying(
    "HTTP/1.1 200 OK\r\nA: caf\xc3\xa9\r\nB: caf\xe9\r\nC: \xe2\x82\xac\r\nContent-Length: 0\r\n\r\n",
  );
  const { headers } = await ask(server.url());
  assertEquals(headers, ["a: café", "b: café", "c: €", "content-length: 0"]);
});

Deno.test("two hundred header lines arrive", async () => {
  const lines = Array.from({ length: 200 }, (_, index) => `X-${index}: ${index}\r\n`);
  using server = saying(`HTTP/1.1 200 OK\r\n${lines.join("")}Content-Length: 0\r\n\r\n`);
  const { headers } = await ask(server.url());
  assertEquals(headers.length, 201);
  assertEquals(headers[199], "x-199: 199");
});

Deno.test("a head that does not end is not read for ever", async () => {
  using server = new ScriptedServer(async ({ send }) => {
    await send("HTTP/1.1 200 OK\r\n");
    for (let sent = 0; sent < 2 * MAX_HEAD_BYTES; sent += 1026) {
      await send(`X: ${"y".repeat(1021)}\r\n`);
    }
  });
  assertStringIncludes(await failure(server.url()), "error sending request for url");
});

Deno.test("every byte of a body arrives as it was, also in a coding that is not known", async () => {
  const bytes = String.fromCharCode(...Array.from({ length: 256 }, (_, index) => index));
  const length = `Content-Length: ${bytes.length}\r\n`;
  for (const more of ["", "Content-Encoding: compress\r\n"]) {
    using server = saying(`HTTP/1.1 200 OK\r\n${more}${length}\r\n${bytes}`);
    const { headers, body } = await ask(server.url());
    assertEquals(body, bytes);
    assertEquals(headers.includes("content-encoding: compress"), more !== "");
  }
});

Deno.test("a body ends where its framing says", async () => {
  const cases: [response: string, body: string][] = [
    ["Content-Length: 3\r\n\r\nabcdef", "abc"],
    ["Content-Length: 3, 3\r\n\r\nabcdef", "abc"],
    ["\r\nuntil the end", "until the end"],
    [
      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\nrest",
      "abc0123456789",
    ],
    ["Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "abc"],
    ["Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""],
  ];
  for (const [response, body] of cases) {
    using server = saying(`HTTP/1.1 200 OK\r\n${response}`);
    assertEquals((await ask(server.url())).body, body, response);
  }
});

Deno.test("some responses have no body whatever they say", async () => {
  const cases: [method: string, status: number][] = [
    ["HEAD", 200],
    ["GET", 204],
    ["GET", 304],
    ["GET", 101],
  ];
  for (const [method, status] of cases) {
    using server = saying(`HTTP/1.1 ${status} X\r\nContent-Length: 5\r\n\r\n`);
    const answer = await ask(server.url(), { method });
    assertEquals(answer, { status, headers: ["content-length: 5"], body: "" });
  }
});

Deno.test("informational responses are skipped", async () => {
  using server = saying(
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" +
      "HTTP/1.0 200\r\nContent-Length: 2\r\n\r\nok",
  );
  assertEquals(await ask(server.url()), {
    status: 200,
    headers: ["content-length: 2"],
    body: "ok",
  });
});

Deno.test("a body that breaks off is an error, not a short body", async () => {
  for (
    const response of [
      "Content-Length: 10\r\n\r\nabc",
      "Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
      "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
      "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    ]
  ) {
    using server = saying(`HTTP/1.1 200 OK\r\n${response}`);
    assertEquals(await failure(server.url()), BROKEN_BODY, response);
  }
});

Deno.test("what is no response is an error that names the address", async () => {
  for (
    const response of [
      "",
      "HTTP/1.1 200 OK\r\nContent-Le",
      "SSH-2.0-OpenSSH\r\n",
      "HTTP/2 200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n",
      "HTTP/1.1 200 OK\r\n folded\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nab",
    ]
  ) {
    using server = saying(response);
    const expected = `http/request failed: error sending request for url (${server.url()})`;
    assertEquals(await failure(server.url()), expected, response);
  }
});

Deno.test("a name and a password are not in the message of an error", async () => {
  assertEquals(
    await failure("http://name:secret@127.0.0.1:1/a?b#c"),
    "http/request failed: error sending request for url (http://127.0.0.1:1/a?b#c)",
  );
});

Deno.test("a body that is too large to be answered whole is refused, and not read on", async () => {
  const gone = Promise.withResolvers<void>();
  using server = new ScriptedServer(async ({ send, clientGone }) => {
    await send("HTTP/1.1 200 OK\r\n\r\n");
    const piece = new Uint8Array(1024 * 1024);
    try {
      for (;;) await send(piece);
    } finally {
      await clientGone;
      gone.resolve();
    }
  });
  assertEquals(
    await failure(server.url()),
    "failed to read http/request response body: " +
      `larger than ${MAX_BUFFERED_BODY_BYTES} bytes; ask for it as a stream`,
  );
  await gone.promise;
});
