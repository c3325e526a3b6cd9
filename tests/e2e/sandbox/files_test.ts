import { assertEquals, assertObjectMatch } from "@std/assert";
import { glob, path, special } from "../../sandbox/context.ts";
import { base64 } from "../support/base64.ts";
import { exists } from "../support/files.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import type { RawClient } from "../support/raw_client.ts";
import { connectStdio } from "../support/stdio_client.ts";
import { eventually } from "../../support/patience.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { enclosedIn, testSandboxed } from "./support/sandboxed.ts";

const ignore = Deno.build.os !== "linux";
const content = { dataBase64: base64("new") };

/** What is tried with a path: by a command, and by a request that does the same. */
const TRIALS: readonly (readonly [script: string, method: string, more: Message])[] = [
  ['cat "$1"', "fs/readFile", {}],
  ['ls "$1/"', "fs/readDirectory", {}],
  ['echo new > "$1"', "fs/writeFile", content],
  ['mkdir "$1"', "fs/createDirectory", { recursive: false }],
  ['mkdir -p "$1"', "fs/createDirectory", {}],
  ['rm -r "$1"', "fs/remove", { force: false }],
];

/** Paths in a directory with a workspace `ws`, where links and denied files are. */
const NAMES = [
  "ws/file",
  "ws/dir",
  "ws/missing/missing",
  "ws/.git",
  "ws/.git/new",
  "ws/.agents/x",
  "ws/denied/f",
  "ws/a.key",
  "ws/readOnly/f",
  "ws/closed",
  "ws/out/secret",
  "ws/out/new",
  "ws/toKey",
  "outside",
];

function fill(directory: string): void {
  for (const name of ["ws/dir/sub", "ws/.git", "ws/denied", "ws/readOnly", "outside"]) {
    Deno.mkdirSync(`${directory}/${name}`, { recursive: true });
  }
  for (
    const name of [
      "ws/file",
      "ws/dir/sub/f",
      "ws/.git/config",
      "ws/denied/f",
      "ws/a.key",
      "ws/readOnly/f",
      "ws/closed",
      "outside/secret",
    ]
  ) Deno.writeTextFileSync(`${directory}/${name}`, name);
  Deno.symlinkSync("../outside", `${directory}/ws/out`);
  Deno.symlinkSync("a.key", `${directory}/ws/toKey`);
  Deno.chmodSync(`${directory}/ws/closed`, 0);
}

function fresh(directory: string, user: number | undefined): void {
  for (const name of ["ws", "outside"]) {
    if (exists(`${directory}/${name}`)) {
      for (const { name: inner } of Deno.readDirSync(`${directory}/${name}`)) {
        Deno.removeSync(`${directory}/${name}/${inner}`, { recursive: true });
      }
    }
  }
  fill(directory);
  if (user !== undefined) giveTo(user, directory);
}

/** Links are nobody's: their targets are given away with the rest. */
function giveTo(user: number, path: string): void {
  Deno.chownSync(path, user, user);
  for (const { name, isDirectory, isSymlink } of Deno.readDirSync(path)) {
    const inner = `${path}/${name}`;
    if (isDirectory) giveTo(user, inner);
    else if (!isSymlink) Deno.chownSync(inner, user, user);
  }
}

function sandboxOf(entries: readonly unknown[], workspace: string): Message {
  const fileSystem = { type: "restricted", entries };
  const permissions = { type: "managed", file_system: fileSystem, network: "restricted" };
  const cwd = `file://${workspace}`;
  return { permissions, cwd, workspaceRoots: [cwd], windowsSandboxLevel: "disabled" };
}

testSandboxed("file requests may do what commands may", async (scene) => {
  const directory = scene.workspace.replace(/\/ws$/, "");
  const user = Deno.statSync(scene.workspace).uid ?? undefined;
  const own = [
    special("project_roots", "write"),
    path(`${scene.workspace}/denied`, "deny"),
    path(`${scene.workspace}/readOnly`, "read"),
    glob("**/*.key"),
  ];
  const intents = [[special("minimal", "read"), ...own]];
  if (user === 0) intents.push([special("root", "read"), ...own]);
  const differences: unknown[] = [];
  for (const entries of intents) {
    const sandbox = sandboxOf(entries, scene.workspace);
    for (const name of NAMES) {
      for (const [script, method, more] of TRIALS) {
        fresh(directory, user);
        const native = `${directory}/${name}`;
        const argv = ["/bin/sh", "-c", script, "sh", native];
        const { exitCode } = await scene.run(argv, { sandbox });
        const asCommand = Deno.readTextFileSync(`${directory}/outside/secret`);
        fresh(directory, user);
        const params = { path: `file://${native}`, sandbox, ...more };
        const { error } = await scene.client.request(method, params);
        assertEquals(Deno.readTextFileSync(`${directory}/outside/secret`), asCommand);
        if ((exitCode === 0) === (error === undefined)) continue;
        differences.push({ root: entries[0], name, script, exitCode, method, error });
      }
    }
  }
  assertEquals(differences, []);
});

/** An executor on a machine that has nothing to enclose commands with. */
function withoutMechanisms(directory: TemporaryDirectory): RawClient {
  return connectStdio({ env: { PATH: `${directory.path}/nothing` } });
}

Deno.test({
  name: "sandbox: file requests need neither bubblewrap nor another process",
  ignore,
  fn: async () => {
    using directory = new TemporaryDirectory();
    fill(directory.path);
    await using client = withoutMechanisms(directory);
    await client.initialize();
    const { sandbox } = enclosedIn(`${directory.path}/ws`);
    const request = (method: string, name: string, more: Message = {}) =>
      client.request(method, { path: `file://${directory.path}/${name}`, sandbox, ...more });
    assertObjectMatch(await request("fs/writeFile", "ws/new", content), { result: {} });
    assertObjectMatch(await request("fs/readFile", "ws/new"), { result: content });
    assertObjectMatch(await request("fs/writeFile", "outside/new", content), {
      error: { code: -32603 },
    });
    assertObjectMatch(await request("fs/remove", "ws/.git"), { error: { code: -32603 } });
    assertEquals(exists(`${directory.path}/outside/new`), false);
    assertEquals(exists(`${directory.path}/ws/.git/config`), true);
  },
});

Deno.test({
  name: "sandbox: an opened file is judged when it is opened",
  ignore,
  fn: async () => {
    using directory = new TemporaryDirectory();
    fill(directory.path);
    await using client = connectStdio();
    await client.initialize();
    const sandbox = sandboxOf([special("project_roots", "write")], `${directory.path}/ws`);
    const open = (handleId: string, name: string) =>
      client.request("fs/open", { handleId, path: `file://${directory.path}/${name}`, sandbox });
    assertObjectMatch(await open("h", "ws/file"), { result: { handleId: "h" } });
    for (const name of ["outside/secret", "ws/out/secret", "ws/missing"]) {
      assertObjectMatch(await open("x", name), { error: { code: -32004 } });
    }
    assertObjectMatch(await open("x", "ws/dir"), { error: { code: -32600 } });
    Deno.removeSync(`${directory.path}/ws/file`);
    Deno.symlinkSync("../outside/secret", `${directory.path}/ws/file`);
    const block = await client.request("fs/readBlock", { handleId: "h", offset: 0, len: 100 });
    assertEquals(block.result, { chunk: base64("ws/file"), eof: true });
  },
});

Deno.test({
  name: "sandbox: a file request whose intent cannot be understood does nothing",
  ignore,
  fn: async () => {
    using directory = new TemporaryDirectory();
    fill(directory.path);
    await using client = connectStdio();
    await client.initialize();
    const workspace = `${directory.path}/ws`;
    const intents = [
      sandboxOf([{ path: { type: "path", path: "file:///C:/x" }, access: "read" }], workspace),
      sandboxOf([special("root", "execute")], workspace),
      sandboxOf([special("project_roots", "write")], `${directory.path}/missing`),
      sandboxOf([glob("[")], workspace),
      { permissions: { type: "sealed" } },
      {},
    ];
    for (const sandbox of intents) {
      const answer = await client.request("fs/remove", { path: `file://${workspace}`, sandbox });
      assertObjectMatch(answer, { error: { code: -32602 } });
    }
    assertEquals(exists(`${workspace}/file`), true);
  },
});

Deno.test({
  name: "sandbox: file requests leave no process, file or descriptor behind",
  ignore,
  fn: async () => {
    using directory = new TemporaryDirectory();
    fill(directory.path);
    await using client = connectStdio();
    await client.initialize();
    const { sandbox } = enclosedIn(`${directory.path}/ws`);
    const path = `file://${directory.path}/ws/file`;
    const descriptors = async () => {
      const { result } = await client.request("fs/readDirectory", { path: "file:///proc/self/fd" });
      return isRecord(result) && Array.isArray(result.entries) ? result.entries.length : 0;
    };
    const round = () =>
      Promise.all(
        Array.from({ length: 50 }, () => [
          client.request("fs/readFile", { path, sandbox }),
          client.request("fs/writeFile", { path, sandbox, ...content }),
          client.request("fs/getMetadata", { path: `${path}/missing`, sandbox }),
        ]).flat(),
      );
    await round();
    const before = await descriptors();
    await round();
    // Some of those that were open before may be closed by now.
    await eventually(async () => await descriptors() <= before, "all descriptors to be closed");
    assertEquals(
      Array.from(Deno.readDirSync(`${directory.path}/ws`), ({ name }) => name).sort(),
      [".git", "a.key", "closed", "denied", "dir", "file", "out", "readOnly", "toKey"],
    );
  },
});

testSandboxed("requests that may write everything set nothing of the kernel's", async (scene) => {
  const { client, workspace, enclosed } = scene;
  const probe = `remex-${crypto.randomUUID()}`;
  const paths = [
    `/dev/shm/${probe}`,
    `/dev/${probe}`,
    "/proc/sys/vm/swappiness",
    "/proc/self/comm",
    "/sys/kernel/uevent_seqnum",
    `/sys/${probe}`,
  ];
  const everything = special("root", "write");
  for (const entries of [[everything], [everything, path(`${workspace}/kept`, "read")]]) {
    const permissions = {
      type: "managed",
      network: "restricted",
      file_system: { type: "restricted", entries },
    };
    const sandbox = { ...isRecord(enclosed.sandbox) ? enclosed.sandbox : {}, permissions };
    for (const path of paths) {
      const uri = `file://${path}`;
      // Should it be written after all, it is the value that stands.
      const bytes = path.startsWith("/proc/sys/") ? Deno.readFileSync(path) : new Uint8Array();
      const dataBase64 = bytes.toBase64();
      for (
        const [method, more] of [
          ["fs/writeFile", { dataBase64 }],
          ["fs/remove", { force: false }],
          ["fs/createDirectory", { recursive: false }],
        ] as const
      ) {
        const { result } = await client.request(method, { path: uri, sandbox, ...more });
        assertEquals([method, path, result], [method, path, undefined]);
      }
      assertEquals(exists(`/dev/shm/${probe}`), false);
    }
    const inside = { path: `file://${workspace}/new`, sandbox, ...content };
    assertObjectMatch(await client.request("fs/writeFile", inside), { result: {} });
    const device = { path: "file:///dev/null", sandbox, ...content };
    assertObjectMatch(await client.request("fs/writeFile", device), { error: { code: -32600 } });
  }
});
