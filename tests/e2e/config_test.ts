import { assertEquals, assertMatch, assertObjectMatch, assertStringIncludes } from "@std/assert";
import { ListeningExecutor, runToEnd } from "./support/executor.ts";
import { testOnMachine } from "./support/machine.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** What cannot start says so in one line and does nothing else. */
function assertRefused(
  { code, stdout, stderr }: { code: number; stdout: string; stderr: string },
  named: string,
): void {
  assertEquals({ code, stdout }, { code: 2, stdout: "" }, stderr);
  assertStringIncludes(stderr, `remex: ${named}`);
  assertEquals(stderr.split("\n").length, 2, stderr);
}

testOnMachine("every layer goes over those before it, and is told", async (machine) => {
  machine.etc("config.jsonc", '{\n  "maxSessions": 1, "maxProcesses": 1,\n  "grace": 1\n}');
  machine.user('// mine\n{ "maxProcesses": 2, "grace": 2, "retainBytes": 300000 }');
  const given = machine.directory.write("given.jsonc", '{ "grace": 3, "log": "info" }', 0o644);
  const env = { REMEX_LOG: "debug", REMEX_RETAIN_BYTES: "400000" };
  const args = ["config", "--config", given, "--retain-bytes", "500000"];
  const { code, stdout } = await runToEnd([...args, "--json"], "", machine.launch(env));
  assertEquals(code, 0);
  const { settings, requirements } = JSON.parse(stdout);
  const user = `${machine.directory.path}/home/.config/remex/config.jsonc`;
  assertObjectMatch(settings, {
    maxConnections: { value: 1000, layer: "built in" },
    maxSessions: { value: 1, layer: "system file", file: "/etc/remex/config.jsonc", line: 2 },
    maxProcesses: { value: 2, layer: "user file", file: user, line: 2 },
    grace: { value: 3, layer: "given file", file: given, line: 1 },
    log: { value: "debug", layer: "environment", variable: "REMEX_LOG" },
    retainBytes: { value: 500_000, layer: "command line", option: "--retain-bytes" },
    wsTokenFile: { value: null, layer: "built in" },
  });
  assertEquals(requirements, null);
  const table = await runToEnd(args, "", machine.launch(env));
  assertMatch(table.stdout, /^maxSessions +1 +\/etc\/remex\/config\.jsonc:2 \(system file\)$/m);
  assertMatch(table.stdout, /^wsTokenFile +- +built in$/m);
});

testOnMachine("an executor goes by its files, and no secret is told", async (machine) => {
  machine.etc("token", "open-sesame\n", 0o600);
  machine.etc(
    "config.jsonc",
    '{ "listen": "ws://0.0.0.0:0", "wsAuth": "capability-token", "wsTokenFile": "token" }',
  );
  machine.user('{ "url": "wss://me:open-barley@host/?token=open-barley" }');
  await using executor = await ListeningExecutor.start(machine.launch());
  assertMatch(executor.url, /^ws:\/\/0\.0\.0\.0:\d+$/);
  const response = await fetch(executor.url.replace("ws://0.0.0.0", "http://127.0.0.1"), {
    headers: { connection: "upgrade", upgrade: "websocket", "sec-websocket-version": "13" },
  }).catch(() => undefined);
  await response?.body?.cancel();
  for (const args of [["config"], ["config", "--json"]]) {
    const { code, stdout, stderr } = await runToEnd(args, "", machine.launch());
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, "/etc/remex/token");
    assertEquals(/open-(sesame|barley)/.test(stdout), false, stdout);
  }
});

testOnMachine("remex exec goes by them too", async (machine) => {
  machine.etc("config.jsonc", '{ "maxProcesses": 1 }');
  await using executor = await ListeningExecutor.start(machine.launch());
  machine.user(`{ "url": ${JSON.stringify(executor.url)} }`);
  const run = (args: string[], env = {}) => runToEnd(["exec", ...args], "", machine.launch(env));
  assertEquals((await run(["--", "echo", "there"])).stdout, "there\n");
  assertEquals((await run(["--stdio", "--", "echo", "here"])).stdout, "here\n");
  assertRefused(await run(["--", "true"], { REMEX_URL: "http://a" }), "REMEX_URL: ");
  assertRefused(await run(["--", "true"], { REMEX_GRACE: "soon" }), "REMEX_GRACE: `soon`");
});

Deno.test("a file that is wrong is named with its line, and nothing starts", async () => {
  using directory = new TemporaryDirectory();
  const file = (content: string) => directory.write("config.jsonc", content, 0o644);
  const cases: [content: string, line: number, named: string][] = [
    ['{\n "listne": "stdio"\n}', 2, "unknown key `listne`; was `listen` meant?"],
    ['{ "secret": "geheim" }', 1, "unknown key `secret`; `remex config --help` lists the keys"],
    ['{\n\n "maxProcesses": "5" }', 3, "`maxProcesses` must be a number from 1 to 1000000, not"],
    ['{ "listen": "0.0.0.0:80" }', 1, "`listen` must be ws://HOST:PORT, unix:PATH or stdio, not"],
    ["listen: stdio", 1, "this is not JSON with comments: "],
    ['{ "wsTokenFile": "t" }', 1, "wsTokenFile has no effect here: give --ws-auth too"],
    ['{\n"listen": "ws://0.0.0.0:0" }', 2, "listen: refusing to listen on 0.0.0.0 without"],
    ['{\n"wsAuth": "capability-token",\n"wsTokenFile": "none" }', 3, "wsTokenFile: cannot read"],
  ];
  for (const [content, line, named] of cases) {
    const path = file(content);
    for (const command of ["serve", "config"]) {
      if (named.includes("cannot read") && command === "config") continue;
      const found = await runToEnd([command, "--config", path]);
      assertRefused(found, `${path}:${line}: ${named}`);
      assertEquals(found.stderr.includes("geheim"), false);
    }
  }
  assertRefused(
    await runToEnd(["serve", "--config", `${directory.path}/none`]),
    `--config: cannot read ${directory.path}/none: No such file`,
  );
});

testOnMachine("files that cannot be read keep an executor from starting", async (machine) => {
  for (const name of ["config.jsonc", "requirements.jsonc"]) {
    machine.etc(name, "{}", 0o000);
    const launch = machine.launch({}, "an ordinary user");
    for (const args of [["serve"], ["config"], ["serve", "--listen", "stdio"]]) {
      assertRefused(await runToEnd(args, "", launch), `cannot read /etc/remex/${name}: `);
    }
    Deno.removeSync(`${machine.directory.path}/etc/${name}`);
  }
  Deno.chmodSync(`${machine.directory.path}/etc`, 0o700);
  const launch = machine.launch({}, "an ordinary user");
  const hidden = Deno.uid() === 0;
  if (!hidden) return;
  const found = await runToEnd(["serve"], "", launch);
  assertRefused(found, "cannot read /etc/remex/");
  assertStringIncludes(found.stderr, "`chmod 755 /etc/remex`");
});

Deno.test("a variable that is nearly a setting's is refused, another one is told", async () => {
  const env = { PATH: "/usr/bin:/bin", HOME: "/nonexistent", REMEX_LISTNE: "stdio" };
  assertRefused(
    await runToEnd(["serve"], "", { env }),
    "REMEX_LISTNE in the environment is no setting; was REMEX_LISTEN meant?",
  );
  const other = { PATH: "/usr/bin:/bin", HOME: "/nonexistent", REMEX_OF_OURS: "1" };
  const { code, stdout } = await runToEnd(["config"], "", { env: other });
  assertEquals(code, 0);
  assertStringIncludes(stdout, "REMEX_OF_OURS in the environment is no setting\n");
});
