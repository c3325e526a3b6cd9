import { assertEquals } from "@std/assert";
import { CERTIFICATE, KEY } from "../support/localhost_certificate.ts";
import { ACCEPT_ENCODING, ask, CertificateFile, failure } from "./requesting.ts";
import { ScriptedServer, type Turn } from "../support/scripted_server.ts";

/** Answers `STATUS/LOCATION` with that redirect, `chain/N` with N more, all else with 200. */
async function redirecting({ path, send }: Turn): Promise<void> {
  const [, status, location] = /^(\d{3})\/(.*)$/.exec(path) ?? [];
  const left = Number(/^chain\/(\d+)$/.exec(path)?.[1] ?? 0);
  if (status !== undefined) {
    return await send(
      `HTTP/1.1 ${status} X\r\nLocation: ${location}\r\nContent-Length: 5\r\n\r\nmoved`,
    );
  }
  await send(
    left > 0
      ? `HTTP/1.1 302 X\r\nLocation: /chain/${left - 1}\r\nContent-Length: 0\r\n\r\n`
      : "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone",
  );
}

/** The lines of a request that are not the same in all. */
function told(server: ScriptedServer, index: number): readonly string[] | undefined {
  return server.seen[index]?.head.filter((line) =>
    !/^(accept|accept-encoding|host|referer): /.test(line)
  );
}

Deno.test("each status has its own way of repeating a request", async () => {
  const cases: [method: string, status: number, then: string, keepsBody: boolean][] = [
    ["POST", 301, "GET", false],
    ["POST", 302, "GET", false],
    ["POST", 303, "GET", false],
    ["POST", 307, "POST", true],
    ["POST", 308, "POST", true],
    ["PUT", 301, "PUT", true],
    ["PUT", 302, "PUT", true],
    ["PUT", 303, "GET", false],
  ];
  for (const [method, status, then, keepsBody] of cases) {
    using server = new ScriptedServer(redirecting);
    const answer = await ask(server.url(`${status}//target`), {
      method,
      bodyBase64: btoa("hello"),
      headers: [["Content-Type", "a/b"], ["X-Own", "1"]],
    });
    assertEquals(answer.body, "done");
    const headers = keepsBody
      ? ["Content-Type: a/b", "X-Own: 1", "content-length: 5"]
      : ["X-Own: 1"];
    assertEquals(told(server, 1), [`${then} /target HTTP/1.1`, ...headers]);
    assertEquals(server.seen[1]?.body, keepsBody ? "hello" : "");
  }
});

Deno.test("a HEAD stays one", async () => {
  using server = new ScriptedServer(redirecting);
  assertEquals((await ask(server.url("303//target"), { method: "HEAD" })).body, "");
  assertEquals(told(server, 1), ["HEAD /target HTTP/1.1"]);
});

Deno.test("what is meant for one server is not sent to another", async () => {
  using other = new ScriptedServer(redirecting);
  using server = new ScriptedServer(redirecting);
  const headers = [
    ["Authorization", "Bearer secret"],
    ["Cookie", "secret"],
    ["Host", "name.test"],
    ["X-Own", "1"],
  ] as const;
  await ask(server.url(`307/${other.url("target")}`), { headers });
  assertEquals(other.seen[0]?.head, [
    "GET /target HTTP/1.1",
    "X-Own: 1",
    `referer: ${server.url()}`,
    "accept: */*",
    ACCEPT_ENCODING,
    `host: ${other.authority}`,
  ]);
  await ask(server.url("307//target"), { headers });
  assertEquals(server.seen[2]?.head.slice(0, 5), [
    "GET /target HTTP/1.1",
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ]);
});

Deno.test("another origin learns where a request comes from, but no path and no query", async () => {
  using server = new ScriptedServer(redirecting);
  const referers = async (location: string) => {
    const from = server.url(`302/${location}?token=SECRET#fragment`);
    await ask(from.replace("//", "//name:word@"));
    return server.seen.at(-1)?.head.filter((line) => line.startsWith("referer: "));
  };
  assertEquals(await referers("/target"), [`referer: ${server.url("302//target?token=SECRET")}`]);
  assertEquals(await referers(server.url("target", "localhost")), [`referer: ${server.url()}`]);
});

Deno.test("an unencrypted server learns nothing of an encrypted one", async () => {
  using other = new ScriptedServer(redirecting);
  using server = new ScriptedServer(redirecting, { cert: CERTIFICATE, key: KEY });
  using certificate = new CertificateFile();
  await ask(server.url(`302/${other.url("target")}`), {
    env: { SSL_CERT_FILE: certificate.path },
  });
  assertEquals(other.seen[0]?.head.filter((line) => line.startsWith("referer: ")), []);
});

Deno.test("the name and password of an address go along on its server only", async () => {
  using other = new ScriptedServer(redirecting);
  using server = new ScriptedServer(redirecting);
  const withUser = (path: string) => server.url(path).replace("//", "//name:word@");
  await ask(withUser("302//target"));
  await ask(withUser(`302/${other.url()}`));
  const authorization = `authorization: Basic ${btoa("name:word")}`;
  assertEquals(told(server, 1), ["GET /target HTTP/1.1", authorization]);
  assertEquals(told(other, 0), ["GET / HTTP/1.1"]);
});

Deno.test("a redirect is an answer like others when it is not to be followed", async () => {
  using server = new ScriptedServer(redirecting);
  const answer = await ask(server.url("302//target"), { redirectPolicy: "stop" });
  assertEquals(answer, {
    status: 302,
    headers: ["location: /target", "content-length: 5"],
    body: "moved",
  });
  assertEquals(server.seen.length, 1);
});

Deno.test("a status or place that leads nowhere is an answer like others", async () => {
  using server = new ScriptedServer(redirecting);
  for (const path of ["300//target", "304//target", "302/http://[", "302/file:///etc/passwd"]) {
    assertEquals((await ask(server.url(path))).status, Number(path.slice(0, 3)));
  }
});

Deno.test("ten redirects are followed, and no more", async () => {
  using server = new ScriptedServer(redirecting);
  assertEquals((await ask(server.url("chain/10"))).body, "done");
  assertEquals(server.seen.length, 11);
  assertEquals(
    await failure(server.url("chain/11")),
    `http/request failed: error following redirect for url (${server.url("chain/1")})`,
  );
  assertEquals(server.seen.length, 22);
});

Deno.test("a redirect leads to nothing but http and https", async () => {
  using server = new ScriptedServer(redirecting);
  assertEquals(
    await failure(server.url("302/ftp://x/")),
    "http/request failed: builder error for url (ftp://x/)",
  );
});

Deno.test("a value of the executor's own is not sent to another server", async () => {
  using other = new ScriptedServer(redirecting);
  using server = new ScriptedServer(redirecting);
  const request = { headers: [["X-Key", "", "KEY"]] as const, env: { KEY: "secret" } };
  await ask(server.url("302//same"), request);
  assertEquals(told(server, 1), ["GET /same HTTP/1.1", "X-Key: secret"]);
  await ask(server.url(`302/${other.url("there")}`), request);
  assertEquals(told(other, 0), ["GET /there HTTP/1.1"]);
});
