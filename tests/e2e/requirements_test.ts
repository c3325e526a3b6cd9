import { assertEquals, assertMatch, assertObjectMatch, assertStringIncludes } from "@std/assert";
import { python } from "./sandbox/support/python.ts";
import { networkProxy } from "./egress/support/network_proxy.ts";
import { serveLoopback, writeAll } from "./sandbox/support/http_proxy.ts";
import { command, outputOf, shell, stdoutOf } from "./support/commands.ts";
import { ListeningExecutor, runToEnd } from "./support/executor.ts";
import { type Machine, testOnMachine } from "./support/machine.ts";
import { isRecord, type Message } from "./support/inbox.ts";
import type { RawClient } from "./support/raw_client.ts";
import { connectStdio } from "./support/stdio_client.ts";
import { special } from "../sandbox/context.ts";

const FILE = "/etc/remex/requirements.jsonc";

function demand(machine: Machine, demands: Record<string, unknown>): void {
  machine.etc("requirements.jsonc", `{\n  ${JSON.stringify(demands).slice(1, -1)}\n}`);
}

testOnMachine("an executor that must not be does not start", async (machine) => {
  const cases: [demands: Record<string, unknown>, args: string[], named: string][] = [
    [
      { allowedListen: ["unix", "stdio"] },
      [],
      "allowedListen allows unix and stdio, but --listen is",
    ],
    [
      { allowedListen: ["loopback"] },
      ["--listen=stdio"],
      "allowedListen allows loopback, but --listen",
    ],
    [
      { requireAuthentication: "always" },
      [],
      "requireAuthentication is always, but --ws-auth is none",
    ],
    [
      { requireAuthentication: "remote" },
      ["--listen=ws://0.0.0.0:0", "--insecure-no-auth"],
      "requireAuthentication is remote, but --insecure-no-auth is true (command line)",
    ],
    [
      { requireTls: true },
      ["--listen=ws://0.0.0.0:0", "--insecure-no-auth"],
      "requireTls requires encryption, but --listen is ws://0.0.0.0:0 (command line)",
    ],
    [
      { maximum: { maxSessions: 9 } },
      ["--max-sessions=10"],
      "maximum allows 9, but --max-sessions is",
    ],
    [{ requireSandboxes: true }, [], "unknown key `requireSandboxes`"],
    [{ requireSandbox: 1 }, [], "`requireSandbox` must be true or false, not 1"],
  ];
  for (const [demands, args, named] of cases) {
    demand(machine, demands);
    const { code, stdout, stderr } = await runToEnd(["serve", ...args], "", machine.launch());
    assertEquals({ code, stdout }, { code: 2, stdout: "" }, stderr);
    assertStringIncludes(stderr, `remex: ${FILE}:2: ${named}`);
    assertEquals(stderr.split("\n").length, 2, stderr);
  }
});

testOnMachine("what nobody decided is lowered, and no layer raises it", async (machine) => {
  demand(machine, { maximum: { maxProcesses: 3 } });
  const { stdout } = await runToEnd(["config", "--json"], "", machine.launch());
  const { settings, requirements } = JSON.parse(stdout);
  const position = { file: FILE, line: 2 };
  assertEquals(settings.maxProcesses, { value: 3, layer: "requirements", ...position });
  assertEquals(requirements, { maximum: { maxProcesses: { value: 3, ...position } } });
  machine.user('{ "maxProcesses": 4 }');
  const raised = await runToEnd(["config"], "", machine.launch());
  assertEquals(raised.code, 2);
  assertMatch(raised.stderr, /maximum allows 3, but .*: maxProcesses is 4 \(user file\)/);
  const args = ["config", "--max-processes=2", "--json"];
  assertEquals((await runToEnd(args, "", machine.launch())).code, 0);
});

const WALK = {
  maxDepth: 1,
  maxDirectories: 10,
  maxEntries: 10,
  followDirectorySymlinks: false,
};

/** Names and roots for a scene in which only one directory may be written. */
function workshop(machine: Machine) {
  const { path } = machine.directory;
  const [work, outside] = [`${path}/work`, `${path}/outside`];
  for (const directory of [work, outside]) Deno.mkdirSync(directory);
  Deno.symlinkSync(outside, `${work}/link`);
  return { work, outside };
}

/** Members of `process/start` that let a command read everything and write one directory. */
function enclosedIn(workspace: string, network = "restricted"): Message {
  const cwd = `file://${workspace}`;
  const entries = [special("root", "read"), special("project_roots", "write")];
  const permissions = { type: "managed", file_system: { type: "restricted", entries }, network };
  return { cwd, sandbox: { permissions, cwd, windowsSandboxLevel: "disabled" } };
}

async function refused(client: RawClient, method: string, params: Message, named: string) {
  const answer = await client.request(method, params);
  assertObjectMatch(answer, { error: { code: -32602 } });
  assertStringIncludes(
    JSON.stringify(answer),
    `refused by this executor's administrator (${named})`,
  );
}

testOnMachine("commands come with a sandbox that stays where it may", async (machine) => {
  const { work, outside } = workshop(machine);
  demand(machine, { allowedWorkspaceRoots: [work], allowedNetwork: "none" });
  await using client = connectStdio(machine.launch());
  await client.initialize();
  const touch = (more: Message) => shell("no", `touch ${work}/no ${outside}/no`, more);
  const sandbox = (permissions: Message) => ({
    cwd: `file://${work}`,
    sandbox: { permissions, cwd: `file://${work}`, windowsSandboxLevel: "disabled" },
  });
  const bare = { cwd: `file://${work}` };
  await refused(client, "process/start", touch(bare), "allowedWorkspaceRoots");
  for (
    const permissions of [
      { type: "disabled" },
      { type: "external", network: "restricted" },
      { type: "managed", file_system: { type: "unrestricted" }, network: "restricted" },
    ]
  ) {
    await refused(client, "process/start", touch(sandbox(permissions)), "allowedWorkspaceRoots");
  }
  for (const workspace of [outside, `${work}/link`, "/usr"]) {
    await refused(client, "process/start", touch(enclosedIn(workspace)), "allowedWorkspaceRoots");
  }
  const elsewhere = { ...enclosedIn(work), cwd: `file://${work}/link` };
  await refused(client, "process/start", touch(elsewhere), "allowedWorkspaceRoots");
  const open = enclosedIn(work, "enabled");
  await refused(client, "process/start", touch(open), "allowedNetwork");
  assertEquals([...Deno.readDirSync(outside)], []);
  assertEquals([...Deno.readDirSync(work)].map(({ name }) => name), ["link"]);

  const inside = enclosedIn(work);
  assertEquals(await stdoutOf(client, shell("yes", "touch yes && echo done", inside)), "done\n");
  assertEquals(Deno.statSync(`${work}/yes`).isFile, true);
  const http = { method: "GET", url: "http://127.0.0.1:1/", requestId: "1" };
  const answer = await client.request("http/request", http);
  assertObjectMatch(answer, { error: { code: -32603 } });
  assertStringIncludes(JSON.stringify(answer), "(allowedNetwork)");
});

testOnMachine(
  "files are touched in a sandbox that stays where it may, or not at all",
  async (machine) => {
    const { work, outside } = workshop(machine);
    machine.directory.write("outside/secret", "secret", 0o644);
    demand(machine, { allowedWorkspaceRoots: [work], allowedNetwork: "none" });
    await using client = connectStdio(machine.launch());
    await client.initialize();
    const uri = (path: string) => `file://${path}`;
    const disabled = { permissions: { type: "disabled" } };
    const requests = (directory: string, sandbox: unknown): [string, Message][] => {
      const file = uri(`${directory}/file`);
      return [
        ["fs/writeFile", { path: file, dataBase64: "bmV3", sandbox }],
        ["fs/readFile", { path: file, sandbox }],
        ["fs/getMetadata", { path: file, sandbox }],
        ["fs/canonicalize", { path: file, sandbox }],
        ["fs/open", { handleId: "1", path: file, sandbox }],
        ["fs/readDirectory", { path: uri(directory), sandbox }],
        ["fs/walk", { path: uri(directory), options: WALK, sandbox }],
        ["fs/createDirectory", { path: uri(`${directory}/new`), recursive: false, sandbox }],
        ["fs/copy", { sourcePath: file, destinationPath: `${file}2`, recursive: false, sandbox }],
        ["fs/remove", { path: file, recursive: false, force: false, sandbox }],
      ];
    };
    for (const sandbox of [undefined, disabled, enclosedIn(outside).sandbox]) {
      for (const [method, params] of [...requests(work, sandbox), ...requests(outside, sandbox)]) {
        await refused(client, method, params, "allowedWorkspaceRoots");
      }
    }
    assertEquals([...Deno.readDirSync(outside)].map(({ name }) => name), ["secret"]);
    assertEquals([...Deno.readDirSync(work)].map(({ name }) => name), ["link"]);
    for (const [method, params] of requests(work, enclosedIn(work, "enabled").sandbox)) {
      assertObjectMatch(await client.request(method, params), { result: {} }, method);
    }
    const through = { path: uri(`${work}/link/secret`), sandbox: enclosedIn(work).sandbox };
    const write = await client.request("fs/writeFile", { ...through, dataBase64: "bmV3" });
    assertEquals("error" in write, true);
    assertEquals(Deno.readTextFileSync(`${outside}/secret`), "secret");
  },
);

testOnMachine("a link that leads elsewhere only later gains nothing", async (machine) => {
  const { work, outside } = workshop(machine);
  Deno.mkdirSync(`${work}/swapped`);
  demand(machine, { allowedWorkspaceRoots: [`${work}/swapped`] });
  await using client = connectStdio(machine.launch());
  await client.initialize();
  const enclosed = enclosedIn(`${work}/swapped`);
  assertEquals(await stdoutOf(client, command("one", ["pwd"], enclosed)), `${work}/swapped\n`);
  Deno.removeSync(`${work}/swapped`);
  Deno.symlinkSync(outside, `${work}/swapped`);
  const touch = shell("two", "touch no", enclosed);
  await refused(client, "process/start", touch, "allowedWorkspaceRoots");
});

/** Gives two names to each other's things until it is killed (renameat2(2), RENAME_EXCHANGE). */
const EXCHANGE = `
while True:
    libc.renameat2(-100, b"in", -100, b"out", 2)
    for _ in range(20000): pass
`;

testOnMachine("a link swapped in while a sandbox is set up gains nothing", async (machine) => {
  const { work, outside } = workshop(machine);
  Deno.mkdirSync(`${work}/in`);
  Deno.symlinkSync("../outside", `${work}/out`);
  demand(machine, { allowedWorkspaceRoots: [work] });
  await using client = connectStdio(machine.launch());
  await client.initialize();
  const swapper = command("swapper", python(EXCHANGE), enclosedIn(work));
  assertObjectMatch(await client.request("process/start", swapper), { result: {} });
  const outcomes = new Set<string>();
  for (let attempt = 0; attempt < 150 || outcomes.size < 2 && attempt < 1500; attempt++) {
    const touch = command(`touch ${attempt}`, ["touch", "new"], enclosedIn(`${work}/in`));
    const answer = await client.request("process/start", touch);
    if ("result" in answer) await client.events(`touch ${attempt}`);
    outcomes.add("result" in answer ? "started" : "refused");
  }
  assertEquals([...outcomes].sort(), ["refused", "started"]);
  assertEquals([...Deno.readDirSync(outside)], []);
  await client.request("process/terminate", { processId: "swapper" });
  await client.events("swapper");
});

testOnMachine(
  "remex exec --stdio and users' own settings do not get around it",
  async (machine) => {
    const { work } = workshop(machine);
    demand(machine, { requireSandbox: true });
    machine.user('{ "sandbox": "danger-full-access" }');
    const env = { XDG_CONFIG_HOME: work, REMEX_LOG: "error" };
    for (const launch of [machine.launch(), machine.launch(env)]) {
      const run = await runToEnd(
        ["exec", "--stdio", "--cwd", work, "--", "touch", "no"],
        "",
        launch,
      );
      assertEquals([run.code, run.stdout], [126, ""]);
      assertStringIncludes(
        run.stderr,
        "(requireSandbox): a sandbox that restricts files is required",
      );
    }
    assertEquals([...Deno.readDirSync(work)].map(({ name }) => name), ["link"]);
    const enclosed = ["exec", "--stdio", "--sandbox=workspace-write", "--cwd", work];
    const run = await runToEnd([...enclosed, "--", "echo", "in"], "", machine.launch());
    assertEquals([run.stderr, run.code, run.stdout], ["", 0, "in\n"]);
  },
);

testOnMachine("without demands on sandboxes everything runs as before", async (machine) => {
  demand(machine, { requireAuthentication: "remote" });
  await using executor = await ListeningExecutor.start(machine.launch());
  assertMatch(executor.url, /^ws:\/\/127\.0\.0\.1:/);
  const bare = await runToEnd(["exec", "--url", executor.url, "--", "echo", "bare"]);
  assertEquals(bare.stdout, "bare\n");
});

testOnMachine("names are reached within what the administrator allows", async (machine) => {
  await using server = serveLoopback(async (connection) => {
    await connection.read(new Uint8Array(4096));
    await writeAll(connection, "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n");
  });
  const url = `http://127.0.0.1:${server.port}/`;
  const start = async (demands: Record<string, unknown>, more: Message) => {
    demand(machine, demands);
    await using client = connectStdio(machine.launch());
    await client.initialize();
    const answer = await client.request("process/start", shell("asks", `curl -sS ${url}`, more));
    if ("error" in answer) return JSON.stringify(answer.error);
    return outputOf(await client.events("asks"), "stdout");
  };
  const proxied = { networkProxy: { proxy: networkProxy(["127.0.0.1"]) } };
  const byName = { allowedNetwork: "proxy" };
  assertEquals(await start(byName, proxied), "hello\n");
  assertMatch(
    await start({ allowedNetwork: "none" }, proxied),
    /allowedNetwork.*without a network/,
  );
  assertEquals(await start({ allowedNetwork: "managed" }, proxied), "hello\n");
  assertMatch(await start(byName, {}), /allowedNetwork.*own proxy/);
  const ports = { managedNetwork: { loopbackPorts: [server.port] } };
  assertMatch(await start(byName, ports), /allowedNetwork.*own proxy/);
  assertMatch(await start({ allowedDomains: ["*"] }, {}), /allowedNetwork.*own proxy/);
  assertMatch(await start({ allowedDomains: ["*"] }, proxied), /which no rule names/);
  assertMatch(
    await start({ allowedDomains: ["a.example"] }, proxied),
    /not among the domains that this executor's administrator allows/,
  );
  assertEquals(await start({ allowedDomains: ["127.0.0.1"] }, proxied), "hello\n");
  assertMatch(
    await start({ deniedDomains: ["127.0.0.1"] }, proxied),
    /denied by this executor's administrator/,
  );
  demand(machine, { allowedDomains: ["http://a.example"] });
  const { code, stderr } = await runToEnd(["serve", "--listen=stdio"], "", machine.launch());
  assertEquals(code, 2);
  assertStringIncludes(stderr, "allowedDomains");
});
testOnMachine(
  "nothing that takes no sandbox tells of files where one is required",
  async (machine) => {
    const { work } = workshop(machine);
    const requests: [method: string, params: Message][] = [
      ["fs/watchMissing", {
        watchId: 1,
        missing: [`file://${work}/none`],
        present: `file://${work}`,
      }],
      [
        "environmentConfig/read",
        { cwd: `file://${work}`, configPaths: [["model"]], requirementsPaths: [] },
      ],
    ];
    const capability = ({ result }: Message, name: string) =>
      isRecord(result) && isRecord(result.capabilities) ? result.capabilities[name] : undefined;
    for (const named of ["requireSandbox", "allowedWorkspaceRoots"]) {
      demand(machine, named === "requireSandbox" ? { [named]: true } : { [named]: [work] });
      await using client = connectStdio(machine.launch());
      await client.initialize();
      for (const [method, params] of requests) await refused(client, method, params, named);
      const info = await client.request("environment/info");
      assertEquals(
        ["fsWatchMissing", "environmentConfigRead"].map((name) => capability(info, name)),
        [false, false],
      );
    }
    demand(machine, { allowedNetwork: "none" });
    await using client = connectStdio(machine.launch());
    await client.initialize();
    for (const [method, params] of requests) {
      assertEquals(isRecord((await client.request(method, params)).result), true, method);
    }
  },
);
