import { assert, assertEquals, assertObjectMatch, assertStringIncludes } from "@std/assert";
import { canRunBubblewrap } from "../../sandbox/linux/sandboxed_run.ts";
import { base64 } from "../support/base64.ts";
import { testBoth } from "../support/both_transports.ts";
import { run, start, waitForOutput } from "../support/commands.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import type { RawClient } from "../support/raw_client.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

/**
 * What the Codex CLI 0.169.0 sends in a run with its default sandbox, request by request, with the
 * members that it sends them with; the answers are those of its own executor, or better ones where
 * that is said.
 */
class CodexRun {
  readonly client: RawClient;
  /** The project's directory, as a path URI. */
  readonly project: string;
  #processes = 0;

  constructor(client: RawClient, project: string) {
    this.client = client;
    this.project = project;
  }

  /** The intent that goes along with every command and every change to a file. */
  get sandbox(): Message {
    const write = ["project_roots", "slash_tmp", "tmpdir"].map((kind) =>
      special({ kind }, "write")
    );
    const keep = [".git", ".agents", ".codex", ".aws"].map((subpath) => ({
      ...special({ kind: "project_roots", subpath }, "read"),
      missing_path_behavior: "skip",
    }));
    const entries = [special({ kind: "root" }, "read"), ...write, ...keep];
    return {
      permissions: {
        type: "managed",
        file_system: { type: "restricted", entries },
        network: "restricted",
      },
      cwd: this.project,
      policyContext: { cwd: this.project, workspaceRoots: [this.project] },
      workspaceRoots: [this.project],
      userHomeDir: "file:///root",
      windowsSandboxLevel: "disabled",
      windowsSandboxProxySettingsMode: "reconcile",
      useLegacyLandlock: false,
    };
  }

  /** Parameters of `process/start` for a line of shell. */
  command(script: string, tty = false): Message {
    const toolCallId = `call_${++this.#processes}`;
    return {
      processId: `${this.#processes}-d3855b7d-1a04-4f3f-87de-3198643ba57f`,
      metadata: { threadId: "01a20438-a3f4-7f02-b726-8b1af63a4aa9", toolCallId },
      argv: ["/bin/bash", "-c", script],
      cwd: this.project,
      envPolicy: {
        inherit: "all",
        ignoreDefaultExcludes: true,
        exclude: ["CODEX_PERMISSION_PROFILE", "CODEX_VERSION"],
        set: {},
        includeOnly: [],
      },
      env: { NO_COLOR: "1", TERM: "dumb", LC_ALL: "C.UTF-8", CODEX_SANDBOX_NETWORK_DISABLED: "1" },
      tty,
      pipeStdin: false,
      arg0: null,
      sandbox: this.sandbox,
      enforceManagedNetwork: false,
      managedNetwork: null,
    };
  }

  /** The answer to a request about a file of the project. */
  file(method: string, name: string, params: Message = {}): Promise<Message> {
    return this.client.request(method, {
      path: `${this.project}/${name}`,
      sandbox: null,
      ...params,
    });
  }
}

function special(value: Message, access: string): Message {
  return { path: { type: "special", value }, access };
}

/** A 2 by 2 pixel image. */
const IMAGE = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEUlEQVR4nGP4z8AARGDiPwMAHfAD/aAz" +
  "CYkAAAAASUVORK5CYII=";

const NOT_FOUND = { error: { code: -32004, message: "No such file or directory (os error 2)" } };

function testCodex(name: string, body: (codex: CodexRun) => Promise<void>): void {
  if (!canRunBubblewrap) return Deno.test.ignore(`codex 0.169.0: ${name}`, () => {});
  testBoth(`codex 0.169.0: ${name}`, async ({ open }) => {
    using directory = new TemporaryDirectory();
    Deno.mkdirSync(`${directory.path}/project/.git`, { recursive: true });
    await using client = await open();
    await body(new CodexRun(client, `file://${directory.path}/project`));
  });
}

testCodex("what it looks for at first", async (codex) => {
  const { client, project } = codex;
  const metadata = { isDirectory: true, isFile: false, isSymlink: false };
  assertObjectMatch(await codex.file("fs/getMetadata", ".git"), { result: metadata });
  for (const name of [".agents/skills", "AGENTS.override.md", "AGENTS.md"]) {
    assertObjectMatch(await codex.file("fs/getMetadata", name), NOT_FOUND);
  }
  const watch = await client.request("fs/watchMissing", {
    watchId: 1,
    missing: [`${project}/.agents/skills`],
    present: `${project}/.git`,
  });
  assertEquals(watch.result, { watching: true });
  const config = await client.request("environmentConfig/read", {
    cwd: project,
    configPaths: [["mcp_servers"]],
    requirementsPaths: [["mcp_servers"]],
  });
  assert(isRecord(config.result));
  for (const member of ["userHomeDir", "codexHomeDir", "hostname"]) {
    assertEquals(typeof config.result[member], "string", member);
  }
  for (const member of ["config", "requirements"]) {
    const layers = config.result[member];
    assert(isRecord(layers) && Array.isArray(layers.layers), member);
  }
});

testCodex("a terminal, its input and Ctrl-C", async (codex) => {
  const { client } = codex;
  const params = codex.command("cat", true);
  const processId = String(params.processId);
  const started = await client.request("process/start", params);
  assertEquals(started.result, { processId, sandboxType: "linuxSeccomp" });
  const write = (chunk: string, writeId: string) =>
    client.request("process/write", { processId, chunk, writeId });
  assertEquals((await write("aGVsbG8K", "1")).result, { status: "accepted" });
  await waitForOutput(client, processId, "hello\r\nhello\r\n");
  assertEquals((await write("Aw==", "2")).result, { status: "accepted" });
  const events = await client.events(processId);
  // The executor of Codex tells the exit code of what it wraps commands in, which is 1.
  assertEquals(exitOf(events), { exitCode: 130, sandboxDenied: false });
  const terminated = await client.request("process/terminate", { processId });
  assertEquals(terminated.result, { running: false });
});

testCodex("an interrupt without a terminal", async (codex) => {
  const { client } = codex;
  const params = codex.command("echo ready; sleep 30");
  const processId = String(params.processId);
  await start(client, params);
  await waitForOutput(client, processId, "ready");
  const answer = await client.request("process/signal", { processId, signal: "interrupt" });
  assertEquals(answer.result, {});
  assertEquals(exitOf(await client.events(processId)), { exitCode: 130, sandboxDenied: false });
});

testCodex(
  "a patch, and a command that reads what it wrote and is denied another",
  async (codex) => {
    const { client, sandbox } = codex;
    assertObjectMatch(await codex.file("fs/getMetadata", "new.txt"), NOT_FOUND);
    assertObjectMatch(await codex.file("fs/readFile", "new.txt"), NOT_FOUND);
    const dataBase64 = base64("line one\n");
    const written = await codex.file("fs/writeFile", "new.txt", { dataBase64, sandbox });
    assertEquals(written.result, {});
    const kept = await codex.file("fs/writeFile", ".git/config", { dataBase64, sandbox });
    assertObjectMatch(kept, { error: { code: -32603 } });
    const { stdout, stderr, events } = await run(
      client,
      codex.command("cat new.txt; echo x > /etc/forbidden"),
    );
    assertEquals(stdout, "line one\n");
    assertStringIncludes(stderr, "/etc/forbidden: Read-only file system");
    assertEquals(exitOf(events), { exitCode: 1, sandboxDenied: true });
  },
);

testCodex("long output", async (codex) => {
  const { stdout, events } = await run(codex.client, codex.command("seq 1 20000"));
  const numbers = Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`);
  assert(stdout === numbers.join(""), "every line once and in order");
  assertEquals(exitOf(events), { exitCode: 0, sandboxDenied: false });
});

testCodex("an image", async (codex) => {
  const written = await codex.file("fs/writeFile", "p.png", { dataBase64: IMAGE });
  assertEquals(written.result, {});
  const found = await codex.file("fs/getMetadata", "p.png");
  assertObjectMatch(found, {
    result: { isDirectory: false, isFile: true, isSymlink: false, size: 74 },
  });
  assertEquals((await codex.file("fs/readFile", "p.png")).result, { dataBase64: IMAGE });
});

/** What the exit event says besides whose it is. */
function exitOf(events: readonly Message[]): Message {
  const params = events.find(({ method }) => method === "process/exited")?.params;
  assert(isRecord(params));
  return { exitCode: params.exitCode, sandboxDenied: params.sandboxDenied };
}
