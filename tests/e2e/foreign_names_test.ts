import { assert, assertEquals, assertObjectMatch } from "@std/assert";
import { enclosedIn } from "./sandbox/support/sandboxed.ts";
import { base64 } from "./support/base64.ts";
import { testWebSocket } from "./support/both_transports.ts";
import { command, shell, stdoutOf } from "./support/commands.ts";
import { isRecord, type Message } from "./support/inbox.ts";
import type { RawClient } from "./support/raw_client.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** A directory and a file whose names are not UTF-8, as URIs spell them. */
const DIRECTORY = "d%FF";
const FILE = "f%FE.txt";
const content = { dataBase64: base64("content") };

/** A tree of such names, made by a command: the tests' own runtime cannot. */
async function makeTree(client: RawClient, directory: string): Promise<string> {
  const script = "cd \"$1\" && mkdir -p $(printf 'tree/d\\377/plain') && " +
    "printf content > $(printf 'tree/f\\376.txt') && printf content > tree/plain && " +
    "printf content > $(printf 'tree/d\\377/f\\376.txt') && ln -s $(printf 'f\\376.txt') tree/link";
  const argv = ["/bin/sh", "-c", script, "sh", directory];
  assertEquals(await stdoutOf(client, command("make", argv)), "");
  return `file://${directory}/tree`;
}

/** What a shell finds below a directory, with bytes in octal. */
async function found(client: RawClient, directory: string): Promise<string[]> {
  const script = 'cd "$1" && find . -type f -o -type l | LC_ALL=C sort';
  const id = crypto.randomUUID();
  await client.request("process/start", command(id, ["/bin/sh", "-c", script, "sh", directory]));
  const bytes: number[] = [];
  for (const { params } of await client.events(id)) {
    if (!isRecord(params) || typeof params.chunk !== "string") continue;
    bytes.push(...Uint8Array.fromBase64(params.chunk));
  }
  return bytes.map((byte) => byte < 0x80 ? String.fromCharCode(byte) : `%${byte.toString(16)}`)
    .join("").trim().split("\n");
}

/** Tries the same without a sandbox and in one. */
function testNames(
  name: string,
  body: (client: RawClient, directory: string, sandbox: Message) => Promise<void>,
): void {
  for (const sandboxed of [false, true]) {
    testWebSocket(`${name}${sandboxed ? ", in a sandbox" : ""}`, async ({ open }, t) => {
      if (Deno.build.os !== "linux") return;
      using directory = new TemporaryDirectory();
      await using client = await open();
      const sandbox = sandboxed ? { sandbox: enclosedIn(directory.path).sandbox } : {};
      await t.step("on Linux", () => body(client, directory.path, sandbox));
      // The tests' runtime removes what it cannot name.
    });
  }
}

testNames("a file with a name that is not UTF-8 is served", async (client, path, sandbox) => {
  const tree = await makeTree(client, path);
  for (const file of [`${tree}/link`, `${tree}/${DIRECTORY}/${FILE}`, `${tree}/plain`]) {
    const ask = (method: string, more = {}) =>
      client.request(method, { path: file, ...sandbox, ...more });
    assertObjectMatch(await ask("fs/readFile"), { result: content });
    assertObjectMatch(await ask("fs/getMetadata"), { result: { isFile: true, size: 7 } });
    const real = file.endsWith("link") ? `${tree}/${FILE}` : file;
    assertObjectMatch(await ask("fs/canonicalize"), { result: { path: real } });
    const handleId = "handle";
    assertObjectMatch(await ask("fs/open", { handleId }), { result: { handleId } });
    assertObjectMatch(await client.request("fs/readBlock", { handleId, offset: 0, len: 100 }), {
      result: { chunk: content.dataBase64, eof: true },
    });
    await client.request("fs/close", { handleId });
    const dataBase64 = base64(`new ${file}`);
    assertObjectMatch(await ask("fs/writeFile", { dataBase64 }), { result: {} });
    assertObjectMatch(await ask("fs/readFile"), { result: { dataBase64 } });
  }
  assertObjectMatch(
    await client.request("fs/getMetadata", { path: `${tree}/no%FF`, ...sandbox }),
    { error: { code: -32004 } },
  );
});

testNames("names that are not UTF-8 are made and removed", async (client, path, sandbox) => {
  const ask = (method: string, name: string, more = {}) =>
    client.request(method, { path: `file://${path}/${name}`, ...sandbox, ...more });
  assertObjectMatch(await ask("fs/createDirectory", "a%FF/b%FE"), { result: {} });
  assertObjectMatch(await ask("fs/createDirectory", "a%FF/b%FE"), { result: {} });
  const again = await ask("fs/createDirectory", "a%FF", { recursive: false });
  assert(Object.hasOwn(again, "error"));
  assertObjectMatch(await ask("fs/writeFile", "a%FF/b%FE/c%FD", content), { result: {} });
  assertEquals(await found(client, path), ["./a%ff/b%fe/c%fd"]);
  assertObjectMatch(await ask("fs/remove", "a%FF/b%FE/c%FD"), { result: {} });
  assertObjectMatch(await ask("fs/readFile", "a%FF/b%FE/c%FD"), { error: { code: -32004 } });
  assertObjectMatch(await ask("fs/writeFile", "a%FF/b%FE/c%FD", content), { result: {} });
  assertObjectMatch(await ask("fs/remove", "a%FF"), { result: {} });
  assertObjectMatch(await ask("fs/readDirectory", ""), { result: { entries: [] } });
});

testNames("nothing is dropped from listings", async (client, path, sandbox) => {
  const tree = await makeTree(client, path);
  const listed = await client.request("fs/readDirectory", { path: tree, ...sandbox });
  assert(isRecord(listed.result) && Array.isArray(listed.result.entries), JSON.stringify(listed));
  const entries = listed.result.entries.filter(isRecord).toSorted((a, b) =>
    String(a.fileName) < String(b.fileName) ? -1 : 1
  );
  assertEquals(entries, [
    { fileName: "d\ufffd", isDirectory: true, isFile: false },
    { fileName: "f\ufffd.txt", isDirectory: false, isFile: true },
    { fileName: "link", isDirectory: false, isFile: true },
    { fileName: "plain", isDirectory: false, isFile: true },
  ]);
  const options = { maxDepth: 9, maxDirectories: 99, maxEntries: 99 };
  const walked = await client.request("fs/walk", {
    path: tree,
    options: { ...options, followDirectorySymlinks: false },
    ...sandbox,
  });
  assertObjectMatch(walked, {
    result: {
      entries: [
        { path: `${tree}/${DIRECTORY}`, kind: "directory" },
        { path: `${tree}/${FILE}`, kind: "file" },
        { path: `${tree}/plain`, kind: "file" },
        { path: `${tree}/${DIRECTORY}/${FILE}`, kind: "file" },
        { path: `${tree}/${DIRECTORY}/plain`, kind: "directory" },
      ],
      errors: [],
    },
  });
});

testNames("nothing is dropped from a copy", async (client, path, sandbox) => {
  const tree = await makeTree(client, path);
  const destinationPath = `file://${path}/copy%FF`;
  const params = { sourcePath: tree, destinationPath, recursive: true, ...sandbox };
  assertObjectMatch(await client.request("fs/copy", params), { result: {} });
  assertEquals(await found(client, path), [
    "./copy%ff/d%ff/f%fe.txt",
    "./copy%ff/f%fe.txt",
    "./copy%ff/link",
    "./copy%ff/plain",
    "./tree/d%ff/f%fe.txt",
    "./tree/f%fe.txt",
    "./tree/link",
    "./tree/plain",
  ]);
  const read = { path: `${destinationPath}/link`, ...sandbox };
  assertObjectMatch(await client.request("fs/readFile", read), { result: content });
});

testNames("a command starts in a directory whose name is not UTF-8", async (
  client,
  path,
  sandbox,
) => {
  const tree = await makeTree(client, path);
  const cwd = `${tree}/${DIRECTORY}`;
  const said = await stdoutOf(
    client,
    shell("p", "cat f*.txt; pwd | od -An -tx1", {
      cwd,
      ...sandbox,
    }),
  );
  assert(/^content.*2f 64 ff 0a$/s.test(said.trim().replaceAll(/\s+/g, " ")), said);
  const gone = await client.request(
    "process/start",
    command("q", ["/bin/true"], {
      cwd: `${tree}/gone%FF`,
      ...sandbox,
    }),
  );
  assertObjectMatch(gone, { error: { code: -32603 } });
});

testWebSocket("a path that is foreign to this host is an invalid request", async ({ open }) => {
  await using client = await open();
  for (const path of ["file:///C:/x", "file://server/share/x"]) {
    if (Deno.build.os === "windows") return;
    for (
      const method of ["fs/readFile", "fs/getMetadata", "fs/canonicalize", "fs/readDirectory"]
    ) {
      assertObjectMatch(await client.request(method, { path }), { error: { code: -32600 } });
    }
    const open = await client.request("fs/open", { path, handleId: "h" });
    assertObjectMatch(open, { error: { code: -32600 } });
    const start = await client.request("process/start", command("p", ["/bin/true"], { cwd: path }));
    assertObjectMatch(start, { error: { code: -32602 } });
  }
});
