import { assertEquals } from "@std/assert";
import { CERTIFICATE, KEY } from "../support/localhost_certificate.ts";
import { ACCEPT_ENCODING, ask, CertificateFile, failure } from "./requesting.ts";
import { ScriptedServer, type Turn } from "../support/scripted_server.ts";

function ok({ send }: Turn): Promise<void> {
  return send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

/** Answers one CONNECT, and then passes bytes on in both directions. */
async function serveTunnel(listener: Deno.TcpListener): Promise<string> {
  const client = await listener.accept();
  const buffer = new Uint8Array(1024);
  const head = new TextDecoder().decode(buffer.subarray(0, await client.read(buffer) ?? 0));
  const [, hostname = "", port] = /^CONNECT (.*):(\d+) /.exec(head) ?? [];
  const server = await Deno.connect({ hostname, port: Number(port) });
  await client.write(new TextEncoder().encode("HTTP/1.1 200 Connected\r\n\r\n"));
  await Promise.allSettled([
    client.readable.pipeTo(server.writable),
    server.readable.pipeTo(client.writable),
  ]);
  return head;
}

Deno.test("headers are sent as given and in order, also those that browsers forbid", async () => {
  using server = new ScriptedServer(ok);
  await ask(server.url("path?query#fragment"), {
    method: "POST",
    bodyBase64: btoa("hello"),
    headers: [
      ["Host", "example.com"],
      ["Content-Length", "5"],
      ["X-A", "1"],
      ["Cookie", "a=1"],
      ["X-A", "2"],
      ["User-Agent", "me"],
      ["X-Empty", ""],
      ["X-Text", "é"],
    ],
  });
  assertEquals(server.seen, [{
    head: [
      "POST /path?query HTTP/1.1",
      "Host: example.com",
      "Content-Length: 5",
      "X-A: 1",
      "Cookie: a=1",
      "X-A: 2",
      "User-Agent: me",
      "X-Empty: ",
      "X-Text: \xc3\xa9",
      "accept: */*",
      ACCEPT_ENCODING,
    ],
    body: "hello",
  }]);
});

Deno.test("a request gets the headers that it needs", async () => {
  using server = new ScriptedServer(ok);
  const rest = [ACCEPT_ENCODING, `host: ${server.authority}`];
  const sent = async (request: Parameters<typeof ask>[1]) => {
    await ask(server.url(), request);
    return server.seen.at(-1)?.head.slice(1);
  };
  assertEquals(await sent({}), ["accept: */*", ...rest]);
  assertEquals(await sent({ method: "POST" }), ["accept: */*", ...rest, "content-length: 0"]);
  assertEquals(await sent({ bodyBase64: btoa("x") }), [
    "accept: */*",
    ...rest,
    "content-length: 1",
  ]);
  assertEquals(await sent({ headers: [["Accept", "a/b"]] }), ["Accept: a/b", ...rest]);
});

Deno.test("codings are asked for unless the client does, or wants a part of a body", async () => {
  using server = new ScriptedServer(ok);
  const given = [["Accept-Encoding", "identity"], ["Range", "bytes=0-1"]] as const;
  for (const header of given) {
    await ask(server.url(), { headers: [header] });
    assertEquals(server.seen.at(-1)?.head.slice(1), [
      header.join(": "),
      "accept: */*",
      `host: ${server.authority}`,
    ]);
  }
});

Deno.test("a body is sent in chunks when the headers say so", async () => {
  using server = new ScriptedServer(ok);
  await ask(server.url(), {
    method: "POST",
    bodyBase64: btoa("hello"),
    headers: [["Transfer-Encoding", "chunked"]],
  });
  assertEquals(server.seen[0]?.body, "5\r\nhello\r\n0\r\n\r\n");
});

Deno.test("an answer that comes before the body has been sent counts", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const body = new Uint8Array(32 * 1024 * 1024).toBase64();
  const answer = ask(`http://127.0.0.1:${listener.addr.port}/`, {
    method: "POST",
    bodyBase64: body,
  });
  using connection = await listener.accept();
  await connection.read(new Uint8Array(1024));
  const refusal = "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n";
  await connection.write(new TextEncoder().encode(refusal));
  assertEquals((await answer).status, 413);
});

Deno.test("encrypted connections need a certificate that is trusted", async () => {
  using server = new ScriptedServer(ok, { cert: CERTIFICATE, key: KEY });
  const expected = `http/request failed: error sending request for url (${server.url()})`;
  assertEquals(await failure(server.url()), expected);
  using certificate = new CertificateFile();
  const env = { SSL_CERT_FILE: certificate.path };
  assertEquals((await ask(server.url(), { env })).body, "ok");
  assertEquals((await ask(server.url("", "localhost"), { env })).body, "ok");
});

Deno.test("a proxy gets requests with their whole address", async () => {
  using proxy = new ScriptedServer(ok);
  const env = { HTTP_PROXY: `http://name:word@${proxy.authority}`, NO_PROXY: "localhost" };
  assertEquals((await ask("http://example.test:81/a?b#c", { env })).body, "ok");
  assertEquals(proxy.seen[0]?.head, [
    "GET http://example.test:81/a?b HTTP/1.1",
    "accept: */*",
    ACCEPT_ENCODING,
    `proxy-authorization: Basic ${btoa("name:word")}`,
    "host: example.test:81",
  ]);
});

Deno.test("a proxy is asked for a tunnel to an encrypted server", async () => {
  using proxy = new ScriptedServer(({ send }) => send("HTTP/1.1 403 No\r\n\r\n"));
  const env = { HTTPS_PROXY: `http://${proxy.authority}` };
  assertEquals(
    await failure("https://example.test/", { env }),
    "http/request failed: error sending request for url (https://example.test/)",
  );
  assertEquals(proxy.seen[0]?.head, [
    "CONNECT example.test:443 HTTP/1.1",
    "Host: example.test:443",
  ]);
});

Deno.test("what is encrypted goes through a proxy's tunnel unseen", async () => {
  using server = new ScriptedServer(ok, { cert: CERTIFICATE, key: KEY });
  using certificate = new CertificateFile();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const tunnel = serveTunnel(listener);
  const env = {
    SSL_CERT_FILE: certificate.path,
    HTTPS_PROXY: `http://name:word@127.0.0.1:${listener.addr.port}`,
  };
  assertEquals((await ask(server.url("path"), { env })).body, "ok");
  assertEquals(
    await tunnel,
    `CONNECT ${server.authority} HTTP/1.1\r\nHost: ${server.authority}\r\n` +
      `Proxy-Authorization: Basic ${btoa("name:word")}\r\n\r\n`,
  );
  assertEquals(server.seen[0]?.head, [
    "GET /path HTTP/1.1",
    "accept: */*",
    ACCEPT_ENCODING,
    `host: ${server.authority}`,
  ]);
});
