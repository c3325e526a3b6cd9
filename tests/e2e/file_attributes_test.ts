import { assert, assertEquals, assertMatch, assertObjectMatch } from "@std/assert";
import { pathToFileURL } from "node:url";
import { base64 } from "./support/base64.ts";
import { testWebSocket } from "./support/both_transports.ts";
import { isRecord, type Message } from "./support/inbox.ts";
import type { RawClient } from "./support/raw_client.ts";
import { connectWebSocket } from "./support/websocket_client.ts";
import { ListeningExecutor } from "./support/executor.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testSandboxed } from "./sandbox/support/sandboxed.ts";

const windows = Deno.build.os === "windows";
const uri = (path: string) => pathToFileURL(path).href;
const LONG_AGO = 1_000_000_000_123;

function permissionsOf(path: string): number {
  return (Deno.lstatSync(path).mode ?? 0) & 0o7777;
}

function namesIn(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
}

function resultOf({ result, error }: Message): Message {
  assertEquals(error, undefined);
  assert(isRecord(result));
  return result;
}

async function ask(client: RawClient, method: string, params: Message): Promise<Message> {
  return resultOf(await client.request(method, params));
}

testWebSocket("what is in a directory is told as it is", async ({ open }) => {
  if (windows) return;
  using directory = new TemporaryDirectory();
  const { path } = directory;
  directory.write("file", "12345", 0o640);
  Deno.mkdirSync(`${path}/dir`);
  Deno.chmodSync(`${path}/dir`, 0o1750);
  Deno.symlinkSync("no where", `${path}/link`);
  new Deno.Command("mkfifo", { args: [`${path}/pipe`] }).outputSync();
  new Deno.Command("sh", { args: ["-c", `cd '${path}' && : >"$(printf 'caf\\351 %%')"`] })
    .outputSync();
  Deno.utimeSync(`${path}/file`, 0, LONG_AGO / 1000);
  await using client = await open();
  const { entries, more } = await ask(client, "fs/list", { path: uri(path) });
  assertEquals(more, false);
  assert(Array.isArray(entries));
  const brief = entries.map(({ name, kind, targetBase64 }) => [name, kind, targetBase64]);
  assertEquals(brief, [
    ["caf%E9%20%25", "file", undefined],
    ["dir", "directory", undefined],
    ["file", "file", undefined],
    ["link", "symlink", base64("no where")],
    ["pipe", "other", undefined],
  ]);
  const file = { kind: "file", size: 5, permissions: 0o640, modifiedAtMs: LONG_AGO };
  assertEquals(entries[2], { name: "file", ...file });
  assertEquals(entries[1].permissions, 0o1750);
  const after = await ask(client, "fs/list", { path: uri(path), after: "file" });
  assertEquals(after, { entries: entries.slice(3), more: false });

  const told = await ask(client, "fs/stat", { path: uri(`${path}/file`) });
  assertObjectMatch(told, file);
  assertMatch(String(told.identity), /./);
  Deno.symlinkSync("file", `${path}/to file`);
  const followed = await ask(client, "fs/stat", { path: uri(`${path}/to file`) });
  assertEquals(followed, told);
  const link = { path: uri(`${path}/to file`), followLinks: false };
  assertObjectMatch(await ask(client, "fs/stat", link), { kind: "symlink" });
  const dangling = await client.request("fs/stat", { path: uri(`${path}/link`) });
  assertObjectMatch(dangling, { error: { code: -32004 } });
});

testWebSocket(
  "files have their permissions and time when they get their name",
  async ({ open }) => {
    if (windows) return;
    using directory = new TemporaryDirectory();
    await using client = await open();
    const wanted = { permissions: 0o1604, modifiedAtMs: LONG_AGO };
    for (const name of ["small", "large"]) {
      const path = `${directory.path}/${name}`;
      const bytes = "x".repeat(name === "small" ? 10 : 100_000);
      const file = { path: uri(path), dataBase64: base64(bytes) };
      // Created, and replaced.
      for (let round = 0; round < 2; round++) {
        await ask(client, "fs/writeFile", { ...file, ...wanted });
        assertObjectMatch(await ask(client, "fs/stat", { path: uri(path) }), wanted);
        await ask(client, "fs/setAttributes", { path: uri(path), permissions: 0o600 });
        assertObjectMatch(await ask(client, "fs/stat", { path: uri(path) }), {
          ...wanted,
          permissions: 0o600,
        });
      }
    }
    const linked = directory.write("linked", "old", 0o644);
    Deno.linkSync(linked, `${linked} too`);
    await ask(client, "fs/open", { handleId: "h", path: uri(linked), mode: "replace" });
    await ask(client, "fs/close", { handleId: "h", ...wanted });
    assertObjectMatch(await ask(client, "fs/stat", { path: uri(`${linked} too`) }), {
      ...wanted,
      size: 0,
    });
    const forbidden = { path: uri(linked), permissions: 0o4755 };
    assertObjectMatch(await client.request("fs/setAttributes", forbidden), {
      error: { code: -32602 },
    });
    const device = await client.request("fs/setAttributes", {
      path: "file:///dev/null",
      permissions: 0o666,
    });
    assertObjectMatch(device, { error: { code: -32600 } });
  },
);

testWebSocket("links are made, and only where nothing is", async ({ open }) => {
  if (windows) return;
  using directory = new TemporaryDirectory();
  await using client = await open();
  const link = { path: uri(`${directory.path}/link`), targetBase64: btoa("caf\xe9") };
  await ask(client, "fs/symlink", link);
  const told = await ask(client, "fs/stat", { path: link.path, followLinks: false });
  assertObjectMatch(told, { kind: "symlink", targetBase64: link.targetBase64 });
  assertObjectMatch(await client.request("fs/symlink", link), { error: { code: -32603 } });
  for (const targetBase64 of ["", "*", btoa("a\0b")]) {
    const wrong = { path: uri(`${directory.path}/other`), targetBase64 };
    assertObjectMatch(await client.request("fs/symlink", wrong), { error: { code: -32600 } });
  }
  assertEquals(namesIn(directory.path), ["link"]);
});

Deno.test({
  name: "what is to be resumed outlasts its connection and its executor",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    using directory = new TemporaryDirectory();
    const path = directory.write("file", "precious", 0o640);
    const handle = { handleId: "h", path: uri(path), mode: "resume", resumeKey: "one" };
    {
      await using executor = await ListeningExecutor.start();
      await using client = await connectWebSocket(executor.url);
      await client.initialize();
      assertEquals(await ask(client, "fs/open", handle), { handleId: "h", size: 0 });
      await ask(client, "fs/writeBlock", { handleId: "h", offset: 0, chunk: base64("hello ") });
      const twice = await client.request("fs/open", { ...handle, handleId: "other" });
      assertObjectMatch(twice, { error: { code: -32600, data: { reason: "inUse" } } });
      await executor.endBy("SIGKILL");
    }
    const [partial = "", ...others] = namesIn(directory.path);
    assertEquals(others, ["file"]);
    assertMatch(partial, /^\.remex-.*\.part$/);
    assertEquals(permissionsOf(`${directory.path}/${partial}`), 0o600);
    await using executor = await ListeningExecutor.start();
    await using client = await connectWebSocket(executor.url);
    await client.initialize();
    assertEquals(await ask(client, "fs/open", handle), { handleId: "h", size: 6 });
    await ask(client, "fs/writeBlock", { handleId: "h", offset: 6, chunk: base64("world") });
    assertEquals(Deno.readTextFileSync(path), "precious");
    await ask(client, "fs/close", { handleId: "h", modifiedAtMs: LONG_AGO });
    assertEquals(Deno.readTextFileSync(path), "hello world");
    assertEquals(Deno.statSync(path).mtime?.getTime(), LONG_AGO);
    assertEquals(permissionsOf(path), 0o640);
    assertEquals(namesIn(directory.path), ["file"]);

    // Another content takes the place of one that was left; discarded, nothing stays.
    await ask(client, "fs/open", handle);
    await ask(client, "fs/writeBlock", { handleId: "h", offset: 0, chunk: base64("torn") });
    const other = { ...handle, handleId: "o", resumeKey: "two" };
    assertEquals(await ask(client, "fs/open", other), { handleId: "o", size: 0 });
    assertEquals(namesIn(directory.path).length, 2);
    await ask(client, "fs/close", { handleId: "o", discard: true });
    assertEquals(namesIn(directory.path), ["file"]);

    // What somebody else has put there is not gone on with.
    const fresh = { ...handle, handleId: "f", path: uri(`${directory.path}/new`) };
    await ask(client, "fs/open", fresh);
    await ask(client, "fs/close", { handleId: "f", discard: true });
    await ask(client, "fs/open", fresh);
    const name = namesIn(directory.path).find((one) => one.endsWith(".part")) ?? "";
    Deno.removeSync(`${directory.path}/${name}`);
    await ask(client, "fs/close", { handleId: "f", discard: true });
    Deno.symlinkSync(path, `${directory.path}/${name}`);
    assertEquals(await ask(client, "fs/open", fresh), { handleId: "f", size: 0 });
    await ask(client, "fs/writeBlock", { handleId: "f", offset: 0, chunk: base64("new") });
    await ask(client, "fs/close", { handleId: "f" });
    assertEquals(namesIn(directory.path), ["file", "new"]);
    assertEquals(Deno.readTextFileSync(path), "hello world");
    assertEquals(permissionsOf(`${directory.path}/new`), 0o666 & ~Deno.umask());
  },
});

testSandboxed("attributes, links and what is resumed stay within the policy", async (scene) => {
  const { client, workspace, outside, enclosed: { sandbox } } = scene;
  Deno.symlinkSync(outside, `${workspace}/out`);
  const target = { targetBase64: base64("x") };
  for (const path of [`${outside}/new`, `${workspace}/out/new`]) {
    const link = await client.request("fs/symlink", { path: uri(path), ...target, sandbox });
    assertObjectMatch(link, { error: { code: -32603 } });
    const open = { handleId: "h", path: uri(path), mode: "resume", resumeKey: "k", sandbox };
    assertObjectMatch(await client.request("fs/open", open), { error: { code: -32603 } });
  }
  for (const path of [`${outside}/secret`, `${workspace}/out/secret`]) {
    const set = { path: uri(path), permissions: 0o777, sandbox };
    assertObjectMatch(await client.request("fs/setAttributes", set), { error: { code: -32603 } });
  }
  assertEquals(namesIn(outside), ["secret"]);
  assertEquals(permissionsOf(`${outside}/secret`) & 0o111, 0);

  const path = uri(`${workspace}/file`);
  const handle = { handleId: "h", path, mode: "resume", resumeKey: "k", sandbox };
  await ask(client, "fs/open", handle);
  await ask(client, "fs/writeBlock", { handleId: "h", offset: 0, chunk: base64("abc") });
  await ask(client, "fs/close", { handleId: "h", permissions: 0o604, modifiedAtMs: LONG_AGO });
  await ask(client, "fs/setAttributes", { path, modifiedAtMs: LONG_AGO + 1, sandbox });
  await ask(client, "fs/symlink", { path: uri(`${workspace}/link`), ...target, sandbox });
  await ask(client, "fs/open", { ...handle, path: `${path}2` });
  await ask(client, "fs/close", { handleId: "h", discard: true });
  assertEquals(namesIn(workspace), ["file", "link", "out"]);
  const { entries } = await ask(client, "fs/list", { path: uri(workspace), sandbox });
  assert(Array.isArray(entries));
  const file = { kind: "file", size: 3, permissions: 0o604, modifiedAtMs: LONG_AGO + 1 };
  assertEquals(entries[0], { name: "file", ...file });
  assertEquals(Deno.statSync(`${workspace}/file`).uid, Deno.statSync(workspace).uid);
});
