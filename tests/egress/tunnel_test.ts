import { assertEquals, assertMatch } from "@std/assert";
import { serveLoopback, writeAll } from "../e2e/sandbox/support/http_proxy.ts";
import { serveProxy } from "./support/served_proxy.ts";

const CONNECT = "CONNECT good.example:443 HTTP/1.1\r\nHost: good.example\r\n\r\n";
const ESTABLISHED = "HTTP/1.1 200 Connection established\r\n\r\n";

/** Answers everything that it is sent with its length, at the end. */
function serveCount(greeting = "") {
  return serveLoopback(async (connection, requests) => {
    await writeAll(connection, greeting);
    const buffer = new Uint8Array(64 * 1024);
    let total = 0;
    for (let count = await connection.read(buffer); count !== null;) {
      total += count;
      requests.push(new TextDecoder().decode(buffer.subarray(0, count)));
      count = await connection.read(buffer);
    }
    await writeAll(connection, `${total} bytes`);
  });
}

/** A ClientHello that asks for a server (RFC 8446, section 4.1.2). */
function clientHello(name: string): Uint8Array<ArrayBuffer> {
  const bytes = [...new TextEncoder().encode(name)];
  const two = (length: number) => [length >> 8, length & 255];
  const list = [...two(bytes.length + 3), 0, ...two(bytes.length), ...bytes];
  const extensions = [0, 0, ...two(list.length), ...list];
  const body = [3, 3, ...Array(32).fill(0), 0, 0, 2, 0x13, 1, 1, 0];
  body.push(...two(extensions.length), ...extensions);
  const message = [1, 0, ...two(body.length), ...body];
  return Uint8Array.from([22, 3, 1, ...two(message.length), ...message]);
}

Deno.test("a tunnel carries both directions, each to its own end", async () => {
  await using origin = serveCount("welcome ");
  await using served = serveProxy(origin);
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: served.port });
  await writeAll(connection, CONNECT + "early ");
  await writeAll(connection, "x".repeat(100_000));
  await connection.closeWrite();
  assertEquals(await readToEnd(connection), `${ESTABLISHED}welcome 100006 bytes`);
  assertEquals(served.proxy.report.reached, ["good.example:443"]);
});

async function readToEnd(connection: Deno.Conn): Promise<string> {
  return await new Response(connection.readable).text();
}

Deno.test("TLS for the host of the tunnel passes, also in small parts", async () => {
  await using origin = serveCount();
  await using served = serveProxy(origin);
  const hello = clientHello("GOOD.example");
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: served.port });
  await writeAll(connection, CONNECT);
  for (const byte of hello) await connection.write(Uint8Array.of(byte));
  await connection.closeWrite();
  assertEquals(await readToEnd(connection), `${ESTABLISHED}${hello.length} bytes`);
});

Deno.test("TLS for another host than that of the tunnel is refused before it arrives", async () => {
  for (const name of ["bad.example", "a.good.example", "good.example.evil", "127.0.0.1", "\0"]) {
    await using origin = serveCount();
    await using served = serveProxy(origin);
    const answer = await served.send(CONNECT, clientHello(name));
    assertMatch(answer, new RegExp(`^${ESTABLISHED}(0 bytes)?(<reset>)?$`));
    assertEquals(origin.requests, []);
    assertEquals(served.proxy.report.denied, ["good.example:443"]);
  }
});

Deno.test("SOCKS5 by name and by address", async () => {
  await using origin = serveCount();
  await using served = serveProxy(origin, {
    rules: { "good.example": "allow", "1.1.1.1": "allow" },
  });
  const request = (address: number[], command = 1) =>
    Uint8Array.from([5, command, 0, ...address, 1, 187]);
  const name = (text: string) => [3, text.length, ...new TextEncoder().encode(text)];
  const reply = (code: number) => `\x05\x00\x05${String.fromCharCode(code)}\0\x01\0\0\0\0\0\0`;
  const greeting = Uint8Array.of(5, 2, 0, 2);
  const ask = (address: number[], command?: number) =>
    served.send(greeting, request(address, command));
  assertEquals(await ask(name("bad.example")), reply(2));
  assertEquals(await ask([1, 127, 0, 0, 1]), reply(2));
  assertEquals(await ask([1, 8, 8, 8, 8]), reply(2));
  assertEquals(await ask([4, ...Array(15).fill(0), 1]), reply(2));
  assertEquals(await ask(name("bad example")), reply(2));
  assertEquals(await ask(name("good.example"), 2), reply(7));
  assertEquals(await ask(name("good.example"), 3), reply(7));
  assertEquals(await ask([9]), "\x05\x00" + reply(8).slice(2));
  assertEquals(await served.send(Uint8Array.of(5, 1, 2)), "\x05\xff");
  for (const address of [name("Good.Example"), [1, 1, 1, 1, 1]]) {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: served.port });
    await connection.write(greeting);
    await connection.write(request(address));
    await writeAll(connection, "hello");
    await connection.closeWrite();
    assertEquals(await readToEnd(connection), `${reply(0)}5 bytes`);
  }
  assertEquals(served.proxy.report.reached, ["good.example:443", "1.1.1.1:443"]);
});

Deno.test("SOCKS5 for TLS of another host is refused too", async () => {
  await using origin = serveCount();
  await using served = serveProxy(origin);
  const name = new TextEncoder().encode("good.example");
  const request = Uint8Array.from([5, 1, 0, 3, name.length, ...name, 1, 187]);
  await served.send(Uint8Array.of(5, 1, 0), request, clientHello("bad.example"));
  assertEquals(origin.requests, []);
  assertEquals(served.proxy.report.denied, ["good.example:443"]);
});
