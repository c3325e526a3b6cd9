import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ExecServerClient } from "../../src/client/mod.ts";
import { inDirectory } from "../support/recorded_child.ts";
import { inSeconds, jsonWebToken, unsigned } from "../support/json_web_token.ts";
import { ExecRun } from "./support/exec_run.ts";
import { ListeningExecutor, runToEnd } from "./support/executor.ts";
import { RawSocket, UPGRADE } from "./support/raw_socket.ts";
import { selfSigned } from "../support/self_signed.ts";

const SECRET = "a shared secret of enough bytes: 43 of them";
const CAPABILITY = ["--ws-auth", "capability-token"];
const SIGNED = ["--ws-auth", "signed-bearer-token"];

/** The status that asking for a WebSocket is answered with, and the challenge. */
async function knock(url: string, token?: string, more: readonly string[] = []) {
  using connection = await connectTo(url);
  const request = [
    "GET / HTTP/1.1",
    "Host: localhost",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...token === undefined ? [] : [`Authorization: Bearer ${token}`],
    ...more,
  ];
  await connection.write(new TextEncoder().encode(`${request.join("\r\n")}\r\n\r\n`));
  const answer = new Uint8Array(2000);
  const text = new TextDecoder().decode(answer.subarray(0, await connection.read(answer) ?? 0));
  const challenge = /^www-authenticate: (.*?)\r$/im.exec(text)?.[1];
  return { status: Number(text.split(" ")[1]), challenge };
}

function connectTo(url: string): Promise<Deno.Conn> {
  if (url.startsWith("unix:")) {
    return Deno.connect({ transport: "unix", path: url.slice("unix:".length) });
  }
  const { hostname, port } = new URL(url);
  return Deno.connect({ hostname, port: Number(port) });
}

/** A file of that content that only its owner can read. */
function secretFile(directory: string, name: string, content: string): string {
  const path = `${directory}/${name}`;
  Deno.writeTextFileSync(path, content, { mode: 0o600 });
  return path;
}

Deno.test("a capability token opens the door, and nothing else does", () =>
  inDirectory(async (directory) => {
    const file = secretFile(directory, "token", "open-sesame\n");
    const digest = new Uint8Array(
      await crypto.subtle.digest("SHA-256", new TextEncoder().encode("open-sesame")),
    ).toHex();
    for (const source of [["--ws-token-file", file], ["--ws-token-sha256", digest]]) {
      await using executor = await ListeningExecutor.start({}, [...CAPABILITY, ...source]);
      assertEquals((await knock(executor.url, "open-sesame")).status, 101);
      assertEquals(await knock(executor.url), { status: 401, challenge: "Bearer" });
      const wrong = await knock(executor.url, "open-sesam");
      assertEquals(wrong.status, 401);
      assertStringIncludes(wrong.challenge ?? "", 'error="invalid_token"');
      assertEquals((await knock(executor.url, digest)).status, 401);
      for (const path of ["/readyz", "/livez", "/healthz"]) {
        const response = await fetch(executor.url.replace(/^ws/, "http") + path);
        await response.body?.cancel();
        assertEquals(response.status, 200);
      }
    }
  }));

Deno.test("remex exec shows its token", () =>
  inDirectory(async (directory) => {
    const file = secretFile(directory, "token", "open-sesame\n");
    const wrong = secretFile(directory, "wrong", "open-barley\n");
    await using executor = await ListeningExecutor.start({}, [
      ...CAPABILITY,
      "--ws-token-file",
      file,
    ]);
    const reach = ["--url", executor.url];
    await using run = new ExecRun([...reach, "--token-file", file, "--", "echo", "in"]);
    assertEquals([await run.end(), run.stdout], [0, "in\n"]);
    const refusals = [[[], "; give it with --token-file"], [
      ["--token-file", wrong],
      "is wrong",
    ]] as const;
    for (const [token, words] of refusals) {
      await using refused = new ExecRun([...reach, ...token, "--", "echo", "in"]);
      assertEquals(await refused.end(), 255);
      assertStringIncludes(refused.stderr, "401");
      assertStringIncludes(refused.stderr, `${words}\n`);
      assertEquals(refused.stdout, "");
    }
  }));

Deno.test("signed tokens are accepted while they are valid, from whom and for whom they must be", () =>
  inDirectory(async (directory) => {
    const file = secretFile(directory, "secret", `${SECRET}\n`);
    const rules = ["--ws-issuer", "us", "--ws-audience", "remex"];
    await using executor = await ListeningExecutor.start({}, [
      ...SIGNED,
      "--ws-shared-secret-file",
      file,
      ...rules,
      "--ws-max-clock-skew-seconds=5",
    ]);
    const claims = { iss: "us", aud: "remex", exp: inSeconds(600) };
    const good = await jsonWebToken(SECRET, claims);
    assertEquals((await knock(executor.url, good)).status, 101);
    const refused = [
      undefined,
      SECRET,
      await jsonWebToken(`${SECRET}!`, claims),
      await jsonWebToken(SECRET, { ...claims, exp: inSeconds(-60) }),
      await jsonWebToken(SECRET, { ...claims, exp: undefined }),
      await jsonWebToken(SECRET, { ...claims, nbf: inSeconds(60) }),
      await jsonWebToken(SECRET, { ...claims, iss: "them" }),
      await jsonWebToken(SECRET, { ...claims, aud: "other" }),
      await jsonWebToken(SECRET, claims, { alg: "HS512" }),
      unsigned(await jsonWebToken(SECRET, claims, { alg: "none" })),
    ];
    for (const token of refused) {
      const { status, challenge } = await knock(executor.url, token);
      assertEquals(status, 401, token);
      assertMatch(challenge ?? "", /^Bearer/);
    }
  }));

Deno.test("with authentication it listens where others reach it", () =>
  inDirectory(async (directory) => {
    const token = secretFile(directory, "token", "open-sesame");
    await using executor = await ListeningExecutor.start({}, [
      "--listen",
      "ws://0.0.0.0:0",
      ...CAPABILITY,
      "--ws-token-file",
      token,
    ]);
    assertMatch(executor.url, /^ws:\/\/0\.0\.0\.0:\d+$/);
    assertEquals((await knock(executor.url)).status, 401);
  }));

Deno.test("connections are encrypted with a certificate", () =>
  inDirectory(async (directory) => {
    const { cert, key } = await selfSigned(directory);
    await using executor = await ListeningExecutor.start({}, [
      `--tls-cert=${cert}`,
      `--tls-key=${key}`,
    ]);
    assertMatch(executor.url, /^wss:\/\/127\.0\.0\.1:\d+$/);
    const caCerts = [Deno.readTextFileSync(cert)];
    const client = await ExecServerClient.connect(executor.url, { caCerts });
    assert((await client.environmentInfo()).shell.name.length > 0);
    await client.close();
  }));

Deno.test("remex exec trusts the certificates in the file that SSL_CERT_FILE names", () =>
  inDirectory(async (directory) => {
    const { cert, key } = await selfSigned(directory);
    await using executor = await ListeningExecutor.start({}, [
      `--tls-cert=${cert}`,
      `--tls-key=${key}`,
    ]);
    const run = async (file: string, url = executor.url) => {
      await using run = new ExecRun(["--url", url, "--", "echo", "in"], { SSL_CERT_FILE: file });
      return [await run.end(), run.stdout, run.stderr];
    };
    assertEquals(await run(cert), [0, "in\n", ""]);
    const other = await selfSigned(directory, "other");
    const [code, stdout, stderr] = await run(other.cert);
    assertEquals([code, stdout], [255, ""]);
    assertMatch(String(stderr), /^remex: .*UnknownIssuer; SSL_CERT_FILE can name a file .+\n$/);
    const missing = `${directory}/missing`;
    assertStringIncludes(
      (await run(missing)).join(" "),
      `2  remex: SSL_CERT_FILE: cannot read ${missing}: No such file`,
    );
    // Where nothing is encrypted nobody needs it.
    await using open = await ListeningExecutor.start();
    assertEquals(await run(missing, open.url), [0, "in\n", ""]);
  }));

Deno.test("remex exec tells what a wrong scheme or an authority's certificate leads to", () =>
  inDirectory(async (directory) => {
    const { cert, key } = await selfSigned(directory, "authority", "TRUE");
    await using open = await ListeningExecutor.start();
    await using secured = await ListeningExecutor.start({}, [
      `--tls-cert=${cert}`,
      `--tls-key=${key}`,
    ]);
    const cases: [url: string, words: string][] = [
      [open.url.replace("ws:", "wss:"), "a certificate has a URL with ws:// instead of wss://"],
      [secured.url.replace("wss:", "ws:"), "; it may be encrypted: wss:// instead of ws://"],
      [secured.url, "needs basicConstraints=CA:FALSE"],
    ];
    for (const [url, words] of cases) {
      await using run = new ExecRun(["--url", url, "--", "true"], { SSL_CERT_FILE: cert });
      assertEquals([await run.end(), run.stdout], [255, ""]);
      assertStringIncludes(run.stderr, words);
      assertMatch(run.stderr, /^remex: [^\n]+\n$/);
    }
  }));

Deno.test("what is wrong is named in one line, and nothing starts", () =>
  inDirectory(async (directory) => {
    const file = (name: string, content: string) => secretFile(directory, name, content);
    const [missing, empty] = [`${directory}/missing`, file("empty", " \n")];
    const [token, junk, short] = [
      file("a", "token"),
      file("b", "a b\n"),
      file("c", "x".repeat(31)),
    ];
    const { cert, key } = await selfSigned(directory, "one");
    const expired = await expiredCertificate(directory);
    const other = await selfSigned(directory, "other");
    const tokenFile = (path: string) => [...CAPABILITY, "--ws-token-file", path];
    const secret = (path: string) => [...SIGNED, "--ws-shared-secret-file", path];
    const tls = (one: string, two: string) => ["--tls-cert", one, "--tls-key", two];
    const cases: [args: string[], named: string][] = [
      [tokenFile(missing), `--ws-token-file: cannot read ${missing}: No such file`],
      [tokenFile(directory), `--ws-token-file: cannot read ${directory}: Is a directory`],
      [tokenFile(empty), `--ws-token-file: ${empty} is empty`],
      [tokenFile(junk), `--ws-token-file: ${junk} holds no token`],
      [secret(missing), `--ws-shared-secret-file: cannot read ${missing}`],
      [secret(empty), `--ws-shared-secret-file: ${empty} is empty`],
      [secret(short), `--ws-shared-secret-file: ${short} holds 31 bytes, at least 32`],
      [tls(missing, key), `--tls-cert: cannot read ${missing}`],
      [tls(cert, missing), `--tls-key: cannot read ${missing}`],
      [tls(token, key), `--tls-cert: ${token} holds no certificate`],
      [tls(cert, token), `--tls-key: ${token} holds no unencrypted private key`],
      [tls(cert, other.key), `--tls-key: the key in ${other.key} is not that of ${cert}`],
      [tls(expired.cert, expired.key), `--tls-cert: the certificate in ${expired.cert} expired on`],
      [["--listen", "ws://0.0.0.0:0"], "--listen: refusing to listen on 0.0.0.0"],
      [["--lsiten", "stdio"], "unknown option `--lsiten`; was --listen meant?"],
      [["--verbose"], "unknown option `--verbose`; `remex serve --help` lists the options"],
      [["--grace"], "--grace needs a value; `remex serve --help`"],
      [["--max-sessions", "0"], "--max-sessions: `0` is not a number from 1 to 1000000"],
    ];
    for (const [args, named] of cases) {
      const { code, stdout, stderr } = await runToEnd(["serve", ...args]);
      assertEquals({ code, stdout }, { code: 2, stdout: "" }, stderr);
      assertStringIncludes(stderr, `remex: ${named}`);
      assertEquals(stderr.split("\n").length, 2, stderr);
    }
  }));

Deno.test("an address that cannot be had is named with a way out", () =>
  inDirectory(async (directory) => {
    await using other = await ListeningExecutor.start({}, ["--listen", `unix:${directory}/taken`]);
    using port = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    Deno.writeTextFileSync(`${directory}/file`, "precious");
    const cases: [listen: string, fix: string][] = [
      [`ws://127.0.0.1:${port.addr.port}`, "another program listens there: use another port"],
      [other.url, "a program listens there"],
      [`unix:${directory}/file`, "it is no socket file"],
      [`unix:${directory}/no/such`, "make the directory first"],
      ["ws://192.0.2.1:0", "this machine has no such address"],
    ];
    for (const [listen, fix] of cases) {
      const args = ["serve", "--listen", listen, "--insecure-no-auth"];
      const { code, stdout, stderr } = await runToEnd(args);
      assertEquals({ code, stdout }, { code: 2, stdout: "" }, stderr);
      assertStringIncludes(stderr, `remex: --listen: cannot listen on ${listen}: `);
      assertStringIncludes(stderr, fix);
      assertEquals(stderr.split("\n").length, 2, stderr);
    }
    assertEquals(Deno.readTextFileSync(`${directory}/file`), "precious");
    assertEquals((await knock(other.url)).status, 101);
  }));

Deno.test("web pages are refused, whatever token they have", () =>
  inDirectory(async (directory) => {
    const file = secretFile(directory, "token", "open-sesame");
    for (const args of [[], [...CAPABILITY, "--ws-token-file", file]]) {
      await using executor = await ListeningExecutor.start({}, args);
      assertEquals((await knock(executor.url, "open-sesame")).status, 101);
      for (const origin of ["https://example.org", "http://127.0.0.1", "null", ""]) {
        const headers = [`Origin: ${origin}`];
        assertEquals((await knock(executor.url, "open-sesame", headers)).status, 403, origin);
        assertEquals((await knock(executor.url, undefined, headers)).status, 403, origin);
      }
    }
  }));

Deno.test("a socket file lets in its user alone, with a token if one is asked for", () =>
  inDirectory(async (directory) => {
    const token = secretFile(directory, "token", "open-sesame");
    const path = `${directory}/socket`;
    const args = ["--listen", `unix:${path}`, ...CAPABILITY, "--ws-token-file", token];
    await using killed = await ListeningExecutor.start({}, args);
    assertEquals((Deno.lstatSync(path).mode ?? 0) & 0o777, 0o600);
    assertEquals((await knock(killed.url, "open-sesame")).status, 101);
    assertEquals((await knock(killed.url)).status, 401);
    await killed.endBy("SIGKILL");
    assert(Deno.lstatSync(path).isSocket);
    await using next = await ListeningExecutor.start({}, args);
    assertEquals((await knock(next.url, "open-sesame")).status, 101);
    assertEquals((await next.endBy("SIGTERM")).code, 0);
    assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name), ["token"]);
  }));

/** A certificate that was valid for a day of the year 2020, and its key. */
async function expiredCertificate(directory: string) {
  const files = { cert: `${directory}/expired.crt`, key: `${directory}/expired.key` };
  const made = `${directory}/ca`;
  Deno.mkdirSync(made);
  Deno.writeTextFileSync(`${made}/index`, "");
  Deno.writeTextFileSync(
    `${made}/config`,
    `[ca]\ndefault_ca=own\n[own]\ndatabase=${made}/index\nnew_certs_dir=${made}\n` +
      "default_md=sha256\nrand_serial=yes\npolicy=any\n[any]\ncommonName=supplied\n" +
      "[req]\ndistinguished_name=name\n[name]\n",
  );
  const openssl = async (...args: string[]) => {
    const { success, stderr } = await new Deno.Command("openssl", { args }).output();
    assert(success, new TextDecoder().decode(stderr));
  };
  const config = ["-config", `${made}/config`];
  const request = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const named = ["-subj", "/CN=localhost", "-keyout", files.key, "-out", `${made}/request`];
  await openssl("req", "-new", ...request, ...named, ...config);
  const validity = ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"];
  const signed = ["-in", `${made}/request`, "-keyfile", files.key, "-out", files.cert];
  await openssl("ca", "-batch", "-selfsign", "-notext", ...config, ...validity, ...signed);
  return files;
}

Deno.test("who has a token may come by any name, as may all where nothing is asked for", () =>
  inDirectory(async (directory) => {
    const file = secretFile(directory, "token", "open-sesame\n");
    const headers = { ...UPGRADE, host: "elsewhere.example", authorization: "Bearer open-sesame" };
    for (
      const args of [
        [...CAPABILITY, "--ws-token-file", file],
        ["--listen", "ws://0.0.0.0:0", "--insecure-no-auth"],
      ]
    ) {
      await using executor = await ListeningExecutor.start({}, args);
      using socket = await RawSocket.connect(executor.url.replace("0.0.0.0", "127.0.0.1"));
      assertEquals((await socket.http("GET", "/", headers)).status, 101);
    }
  }));
