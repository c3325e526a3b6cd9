import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { serveEcho, serveProxy } from "./support/served_proxy.ts";
import { serveLoopback, writeAll } from "../e2e/sandbox/support/http_proxy.ts";

const CLOSE = "Connection: close\r\n\r\n";
const HOST = "Host: good.example\r\n";

Deno.test("a request goes to its host, by path, without what is for the proxy alone", async () => {
  await using origin = serveEcho();
  await using served = serveProxy(origin);
  const answer = await served.send(
    "GET http://user:secret@good.example:8080/a?b HTTP/1.1\r\nHost: x\r\n\r\n",
  );
  assertMatch(answer, /^HTTP\/1\.1 400 /);
  const head = "GET http://good.example/a?b HTTP/1.1\r\nHost: other.example\r\nX-Mine: 1\r\n" +
    "Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\n" +
    "Connection: X-Hop, close\r\nX-Hop: 1\r\nTE: trailers\r\n\r\n";
  assertStringIncludes(await served.send(head), "saw GET /a?b HTTP/1.1\n");
  assertEquals(origin.requests, [
    "GET /a?b HTTP/1.1\r\nHost: good.example\r\nX-Mine: 1\r\nConnection: close\r\n\r\n",
  ]);
  assertEquals(served.proxy.report, { reached: ["good.example:80"], denied: [] });
});

Deno.test("a denied host is said in a header and a line", async () => {
  await using origin = serveEcho();
  await using served = serveProxy(origin);
  const answer = await served.send(`GET http://bad.example/ HTTP/1.1\r\n${HOST}\r\n`);
  assertMatch(answer, /^HTTP\/1\.1 403 Forbidden\r\n/);
  assertMatch(answer, /\r\nx-proxy-error: blocked-by-allowlist\r\n/);
  assertMatch(answer, /\r\n\r\nremex: bad\.example is not among the allowed domains\n$/);
  assertEquals(served.proxy.report.denied, ["bad.example:80"]);
  const connect = await served.send(
    "CONNECT bad.example:443 HTTP/1.1\r\nHost: bad.example\r\n\r\n",
  );
  assertMatch(connect, /^HTTP\/1\.1 403 Forbidden\r\n/);
  assertEquals(origin.requests, []);
});

Deno.test("each of several requests on one connection is judged by itself", async () => {
  await using origin = serveEcho();
  await using served = serveProxy(origin);
  const request = (host: string, end = "\r\n") =>
    `GET http://${host}/${host} HTTP/1.1\r\nHost: good.example\r\n${end}`;
  const pipelined = request("good.example") + request("a.good.example") + request("bad.example") +
    request("good.example");
  const answer = await served.send(pipelined);
  assertEquals(answer.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 403"]);
  assertEquals(origin.requests.map((read) => read.split("\r\n").slice(0, 2)), [
    ["GET /good.example HTTP/1.1", "Host: good.example"],
    ["GET /a.good.example HTTP/1.1", "Host: a.good.example"],
  ]);
});

Deno.test("bodies arrive as they were sent, of a length and in chunks", async () => {
  await using origin = serveEcho((request) =>
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n` +
    (request.includes("never") ? "" : "")
  );
  await using served = serveProxy(origin);
  const post = "POST http://good.example/ HTTP/1.1\r\n" + HOST;
  const first = await served.send(`${post}Content-Length: 5\r\n${CLOSE}hello and more`);
  assertMatch(first, /\r\n\r\n3\r\nabc\r\n0\r\n\r\n$/);
  const chunks = "4;a=b\r\nwiki\r\n5\r\npedia\r\n0\r\nHost: bad.example\r\n\r\n";
  await served.send(`${post}Transfer-Encoding: chunked\r\n${CLOSE}${chunks}GET / HTTP/1.1\r\n\r\n`);
  assertEquals(origin.requests.map((read) => read.split("\r\n\r\n").slice(1).join("|")), [
    "hello",
    "4\r\nwiki\r\n5\r\npedia\r\n0|",
  ]);
});

/** Requests that one program could end elsewhere than another. */
const AMBIGUOUS = {
  "two lengths": "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
  "two different lengths": "Content-Length: 3\r\nContent-Length: 30\r\n\r\nabc",
  "a list of lengths": "Content-Length: 3, 3\r\n\r\nabc",
  "a length and chunks": "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "chunks and a length": "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
  "a signed length": "Content-Length: +3\r\n\r\nabc",
  "a length in hexadecimal": "Content-Length: 0x3\r\n\r\nabc",
  "an empty length": "Content-Length:\r\n\r\nabc",
  "an unknown encoding": "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
  "an encoding behind a no-break space": "Transfer-Encoding: \xa0chunked\r\n\r\n0\r\n\r\n",
  "an encoding in a list with nothing": "Transfer-Encoding: ,chunked,\r\n\r\n0\r\n\r\n",
  "an encoding behind another": "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
  "an encoding before another": "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
  "two encodings": "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
  "a space before the colon": "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
  "a folded line": "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
  "a line without CR": "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "a CR in a value": "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "a NUL in a value": "X: y\0z\r\n\r\n",
  "an empty name": ": x\r\n\r\n",
  "a line without a colon": "nothing\r\n\r\n",
  "a second host": "Host: bad.example\r\n\r\n",
  "a chunk of a wrong size": "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
  "a chunk of a negative size": "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
  "a chunk of a huge size": "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
  "a chunk's size with 0x": "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
  "a chunk's line without CR": "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
  "an empty chunk's size": "Transfer-Encoding: chunked\r\n\r\n\r\n",
};

for (const [what, rest] of Object.entries(AMBIGUOUS)) {
  Deno.test(`a request with ${what} is refused, and nothing behind it is taken for one`, async () => {
    await using origin = serveLoopback(async (connection, requests) => {
      const buffer = new Uint8Array(4096);
      for (let count = await connection.read(buffer); count !== null;) {
        requests.push(new TextDecoder().decode(buffer.subarray(0, count)));
        count = await connection.read(buffer);
      }
    });
    await using served = serveProxy(origin);
    const smuggled = "GET http://good.example/smuggled HTTP/1.1\r\nHost: good.example\r\n\r\n";
    const answer = await served.send(
      `POST http://good.example/ HTTP/1.1\r\n${HOST}${rest}${smuggled}`,
    );
    assertMatch(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
    assertEquals(answer.match(/HTTP\/1\.1/g)?.length, 1);
    assert(!origin.requests.join("").includes("smuggled"), origin.requests.join());
  });
}

Deno.test("a first line that is none is refused", async () => {
  await using origin = serveEcho();
  await using served = serveProxy(origin);
  const lines = [
    ...["GET / HTTP/1.1", "GET good.example HTTP/1.1", "GET https://good.example/ HTTP/1.1"],
    ...[
      "GET ftp://good.example/ HTTP/1.1",
      "GET http:/good.example HTTP/1.1",
      "GET  http://good.example/ HTTP/1.1",
    ],
    ...[
      "GET http://good.example/ HTTP/2.0",
      "GET http://good.example/",
      "G\x01T http://good.example/ HTTP/1.1",
      "GET http://good.example/a\x01b HTTP/1.1",
    ],
    ...["GET http://good.example:0/ HTTP/1.1", "GET http://good.example:99999/ HTTP/1.1"],
    ...[
      "GET http://good.example:80:80/ HTTP/1.1",
      "GET http:///x HTTP/1.1",
      "GET http://a_b..c/ HTTP/1.1",
    ],
    ...[
      "GET http://good.example\\@bad.example/ HTTP/1.1",
      "GET http://good.example#@bad.example/ HTTP/1.1",
    ],
    ...[
      "CONNECT good.example HTTP/1.1",
      "CONNECT http://good.example:443 HTTP/1.1",
      "CONNECT :443 HTTP/1.1",
    ],
    ...["CONNECT good.example:443/x HTTP/1.1", "CONNECT good.example:+443 HTTP/1.1"],
    ...["CONNECT good.example@bad.example:443 HTTP/1.1", "CONNECT [good.example]:443 HTTP/1.1"],
  ];
  for (const line of lines) {
    assertMatch(await served.send(`${line}\r\n${HOST}\r\n`), /^HTTP\/1\.1 400 /, line);
  }
  assertMatch(await served.send(`\r\nGET http://good.example/ HTTP/1.1\r\n${HOST}\r\n`), / 400 /);
  assertMatch(await served.send(`GET http://good.example/ HTTP/1.1\r\n\r\n`), / 400 /);
  const long = `GET http://good.example/ HTTP/1.1\r\n${HOST}X: ${"x".repeat(70_000)}\r\n\r\n`;
  assertMatch(await served.send(long), /more than 65536 bytes/);
  assertEquals(origin.requests, []);
});

Deno.test("an answer that cannot be understood is not passed on", async () => {
  const answers = [
    "nonsense\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "HTTP/1.1 200 OK\nContent-Length: 1\r\n\r\na",
    "",
  ];
  for (const answer of answers) {
    await using origin = serveLoopback(async (connection) => {
      await connection.read(new Uint8Array(4096));
      await writeAll(connection, answer);
    });
    await using served = serveProxy(origin);
    assertMatch(
      await served.send(`GET http://good.example/ HTTP/1.1\r\n${HOST}\r\n`),
      /^HTTP\/1\.1 502 Bad Gateway\r\n/,
      answer,
    );
  }
});

Deno.test("100 Continue is passed on, and an answer to its end by the connection", async () => {
  await using origin = serveLoopback(async (connection, requests) => {
    const buffer = new Uint8Array(4096);
    const read = async () =>
      requests.push(
        new TextDecoder().decode(buffer.subarray(0, await connection.read(buffer) ?? 0)),
      );
    await read();
    await writeAll(connection, "HTTP/1.1 100 Continue\r\n\r\n");
    await read();
    await writeAll(connection, "HTTP/1.1 200 OK\r\nContent-Type: x\r\n\r\nuntil the end");
  });
  await using served = serveProxy(origin);
  const answer = await served.send(
    `PUT http://good.example/ HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n`,
    "body",
  );
  assertEquals(
    answer,
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: x\r\nConnection: close\r\n\r\n" +
      "until the end",
  );
  assertEquals(origin.requests.at(-1), "body");
});

Deno.test("a WebSocket on plain HTTP is passed on once the server has agreed", async () => {
  await using origin = serveLoopback(async (connection, requests) => {
    const buffer = new Uint8Array(4096);
    const read = async () =>
      new TextDecoder().decode(buffer.subarray(0, await connection.read(buffer) ?? 0));
    requests.push(await read());
    await writeAll(
      connection,
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    );
    await writeAll(connection, `echo ${await read()}`);
  });
  await using served = serveProxy(origin);
  const answer = await served.send(
    `GET ws://good.example/ HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    "frames",
  );
  assertMatch(answer, /^HTTP\/1\.1 101 .*\r\n\r\necho frames$/s);
  assertMatch(origin.requests[0] ?? "", /\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/);
});

Deno.test("a host that is allowed and not there is said to be so", async () => {
  await using origin = serveEcho();
  await using served = serveProxy(origin, { resolve: () => Promise.reject(new Error("none")) });
  const answer = await served.send(`GET http://good.example/ HTTP/1.1\r\n${HOST}\r\n`);
  assertMatch(answer, /^HTTP\/1\.1 502 .*\r\nx-proxy-error: unreachable\r\n.*has no address\n$/s);
  assertEquals(served.proxy.report, { reached: [], denied: [] });
});

Deno.test("what a denied command is still sending does not cost it the answer", async () => {
  await using origin = serveEcho();
  await using served = serveProxy(origin);
  const body = "x".repeat(1 << 20);
  const answer = await served.send(
    `POST http://bad.example/ HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n${body}`,
  );
  assertMatch(answer, /^HTTP\/1\.1 403 .*not among the allowed domains\n$/s);
});
