import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ended, ListeningExecutor, remex, runToEnd } from "../support/executor.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

/** Command lines that are refused, and what the message has to say. */
const REFUSED: readonly (readonly [args: string[], says: string])[] = [
  [[], "--help"],
  [["nonsense"], "nonsense"],
  [["--nonsense"], "--nonsense"],
  [["serve", "--nonsense"], "--nonsense"],
  [["serve", "nonsense"], "nonsense"],
  [["serve", "--listen"], "--listen"],
  [["serve", "--listen", "nonsense"], "nonsense"],
  [["serve", "--listen", "http://127.0.0.1:0"], "http://127.0.0.1:0"],
  [["serve", "--listen", "ws://127.0.0.1"], "ws://127.0.0.1"],
  [["serve", "--listen", "ws://127.0.0.1:99999"], "ws://127.0.0.1:99999"],
  [["serve", "--listen", "ws://127.0.0.1:0/path"], "ws://127.0.0.1:0/path"],
  [["serve", "--listen", "unix:"], "unix:"],
  [["serve", "--listen", "ws://0.0.0.0:0"], "--insecure-no-auth"],
  [["serve", "--listen", "ws://[::]:0"], "--insecure-no-auth"],
  [["serve", "--listen", "ws://192.0.2.1:0"], "--insecure-no-auth"],
  [["serve", "--grace", "soon"], "soon"],
  [["serve", "--grace", "-1"], "a value of --grace that begins with a dash is written --grace=…"],
  [["exec-server", "--nonsense"], "--nonsense"],
  [["doctor", "--nonsense"], "`remex doctor --help` lists the options"],
  [["help", "nonsense"], "unknown command `nonsense`"],
  // An address that is not this machine's (RFC 5737).
  [["serve", "--insecure-no-auth", "--listen", "ws://192.0.2.1:0"], "192.0.2.1"],
  [["serve", "--listen", "unix:/no/such/directory/socket"], "/no/such/directory/socket"],
];

Deno.test("a bad command line is answered with one line and exit code 2", async (t) => {
  for (const [args, says] of REFUSED) {
    await t.step(args.join(" "), async () => {
      const { code, stdout, stderr } = await runToEnd(args);
      assertMatch(stderr, /^remex: [^\n]+\n$/);
      assertStringIncludes(stderr, says);
      assertEquals({ code, stdout }, { code: 2, stdout: "" });
    });
  }
});

Deno.test("a busy port is answered with one line and exit code 2", async () => {
  await using executor = await ListeningExecutor.start();
  const { code, stdout, stderr } = await runToEnd(["serve", "--listen", executor.url]);
  assertMatch(stderr, /^remex: [^\n]+\n$/);
  assertStringIncludes(stderr, executor.url);
  assertEquals({ code, stdout }, { code: 2, stdout: "" });
});

Deno.test("a file in a socket's place is left alone", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.write("socket", "precious", 0o644);
  const { code, stderr } = await runToEnd(["serve", "--listen", `unix:${path}`]);
  assertStringIncludes(stderr, path);
  assertEquals(code, 2);
  assertEquals(Deno.readTextFileSync(path), "precious");
});

Deno.test("--version and --help go to standard output", async (t) => {
  const says: readonly (readonly [args: string[], pattern: RegExp])[] = [
    [["--version"], /^remex \d+\.\d+\.\d+\n$/],
    [["-V"], /^remex \d+\.\d+\.\d+\n$/],
    [["--help"], /^usage: remex [^]*\bserve\b[^]*\n$/],
    [["-h"], /^usage: remex COMMAND /],
    [["help"], /^usage: remex COMMAND /],
    [["help", "exec"], /^usage: remex exec /],
    [["doctor", "-h"], /^usage: remex doctor /],
    [["serve", "--help"], /^usage: remex serve [^]*--listen[^]*\n$/],
    [["exec-server", "--help"], /^usage: remex serve /],
  ];
  for (const [args, pattern] of says) {
    await t.step(args.join(" "), async () => {
      const { code, stdout, stderr } = await runToEnd(args);
      assertMatch(stdout, pattern);
      assertEquals({ code, stderr }, { code: 0, stderr: "" });
    });
  }
});

Deno.test("standard output has the URL and nothing else", async (t) => {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/socket`;
  const urls: readonly (readonly [args: string[], url: RegExp])[] = [
    [["serve"], /^ws:\/\/127\.0\.0\.1:\d+\n$/],
    [["exec-server"], /^ws:\/\/127\.0\.0\.1:\d+\n$/],
    [["serve", "--listen", "ws://127.0.0.1:0"], /^ws:\/\/127\.0\.0\.1:\d+\n$/],
    [["serve", "--listen", "ws://127.0.0.2:0"], /^ws:\/\/127\.0\.0\.2:\d+\n$/],
    [["serve", "--insecure-no-auth", "--listen", "ws://0.0.0.0:0"], /^ws:\/\/0\.0\.0\.0:\d+\n$/],
    [["serve", "--listen", `unix:${path}`], new RegExp(`^unix:${path}\n$`)],
  ];
  for (const [args, url] of urls) {
    await t.step(args.join(" ").replace(directory.path, ""), async () => {
      const child = remex(args, { stderr: "piped" });
      const stderr = new Response(child.stderr).text();
      let stdout = "";
      for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
        stdout += part;
        if (stdout.includes("\n")) child.kill("SIGTERM");
      }
      assertMatch(stdout, url);
      await child.stdin.abort().catch(() => {});
      assertEquals(await ended(child), { success: true, code: 0, signal: null });
      assertEquals(await stderr, "");
    });
  }
});

Deno.test("a unix socket is for its user alone, and a stale one is replaced", async () => {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/socket`;
  for (const ending of ["SIGKILL", "SIGTERM"] as const) {
    const child = remex(["serve", "--listen", `unix:${path}`]);
    for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
      assertEquals(part, `unix:${path}\n`);
      const { mode, isSocket } = await Deno.stat(path);
      assert(isSocket);
      assertEquals((mode ?? 0) & 0o777, 0o600);
      child.kill(ending);
    }
    await child.stdin.abort().catch(() => {});
    await ended(child);
  }
});
