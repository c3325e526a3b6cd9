import { assert, assertEquals, assertObjectMatch } from "@std/assert";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { base64 } from "./support/base64.ts";
import { testBoth, testWebSocket } from "./support/both_transports.ts";
import { isRecord, type Message } from "./support/inbox.ts";
import { ListeningExecutor } from "./support/executor.ts";
import type { RawClient } from "./support/raw_client.ts";
import { connectWebSocket } from "./support/websocket_client.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { glob, path as grant, special } from "../sandbox/context.ts";
import { testSandboxed } from "./sandbox/support/sandboxed.ts";

const windows = Deno.build.os === "windows";

/** A file that is being replaced, under a handle of its own. */
class Replacement {
  readonly #client: RawClient;
  readonly #handleId: string;

  constructor(client: RawClient, handleId = "h") {
    this.#client = client;
    this.#handleId = handleId;
  }

  open(path: string, sandbox: unknown = null): Promise<Message> {
    const handle = { handleId: this.#handleId, path: pathToFileURL(path).href, sandbox };
    return this.#client.request("fs/open", { ...handle, mode: "replace" });
  }

  write(offset: number, content: string): Promise<Message> {
    return this.writeBlock({ offset, chunk: base64(content) });
  }

  writeBlock(params: Message): Promise<Message> {
    return this.#client.request("fs/writeBlock", { handleId: this.#handleId, ...params });
  }

  close(): Promise<Message> {
    return this.#client.request("fs/close", { handleId: this.#handleId });
  }
}

/** Names in a directory, those of unfinished files included. */
function namesIn(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
}

function succeeds({ result, error }: Message): void {
  assertEquals(error, undefined);
  assert(isRecord(result));
}

testBoth("what is written in blocks is the file once it is closed", async ({ open }) => {
  using directory = new TemporaryDirectory();
  const path = directory.write("file", "old content", 0o640);
  await using client = await open();
  const file = new Replacement(client);
  assertEquals((await file.open(path)).result, { handleId: "h" });
  assertEquals((await file.write(6, "world")).result, {});
  assertEquals((await file.write(0, "hello ")).result, {});
  assertEquals(Deno.readTextFileSync(path), "old content");
  assertEquals(namesIn(directory.path), ["file"]);
  assertEquals((await file.close()).result, {});
  assertEquals(Deno.readTextFileSync(path), "hello world");
  assertEquals(namesIn(directory.path), ["file"]);
  if (!windows) assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o640);
});

testBoth("a new file has its name when it is closed, and the umask's mode", async ({ open }) => {
  using directory = new TemporaryDirectory();
  const path = join(directory.path, "new");
  await using client = await open();
  const file = new Replacement(client);
  succeeds(await file.open(path));
  assertEquals(namesIn(directory.path), []);
  succeeds(await file.write(0, "content"));
  succeeds(await file.close());
  assertEquals(Deno.readTextFileSync(path), "content");
  await client.request("fs/writeFile", {
    path: pathToFileURL(`${path} too`).href,
    dataBase64: "",
  });
  assertEquals(Deno.statSync(path).mode, Deno.statSync(`${path} too`).mode);
});

testBoth("nothing written is an empty file", async ({ open }) => {
  using directory = new TemporaryDirectory();
  await using client = await open();
  for (const name of ["old", "new"]) {
    const path = join(directory.path, name);
    if (name === "old") Deno.writeTextFileSync(path, "content");
    const file = new Replacement(client);
    succeeds(await file.open(path));
    succeeds(await file.close());
    assertEquals(Deno.readTextFileSync(path), "");
  }
});

testBoth(
  "a client need not wait for an answer before it sends the next block",
  async ({ open }) => {
    using directory = new TemporaryDirectory();
    const path = join(directory.path, "file");
    await using client = await open();
    const file = new Replacement(client);
    const block = "0123456789abcdef".repeat(65_536);
    const offsets = Array.from({ length: 12 }, (_, index) => index * block.length);
    const answers = [
      file.open(path),
      ...offsets.map((offset) => file.write(offset, block)),
      file.close(),
      // The name of the handle is free again.
      file.open(path),
    ];
    for (const answer of answers) succeeds(await answer);
    assert(Deno.readTextFileSync(path) === block.repeat(12), "every block in its place");
  },
);

testWebSocket("what was not closed is gone with the connection", async ({ open }) => {
  using directory = new TemporaryDirectory();
  const path = directory.write("file", "precious", 0o644);
  const client = await open();
  const [old, young] = [new Replacement(client), new Replacement(client, "new")];
  succeeds(await old.open(path));
  succeeds(await old.write(0, "torn"));
  succeeds(await young.open(join(directory.path, "new")));
  succeeds(await young.write(0, "torn"));
  await client.close();
  await using second = await open();
  assertObjectMatch(await new Replacement(second).write(0, "x"), { error: { code: -32004 } });
  assertEquals(namesIn(directory.path), ["file"]);
  assertEquals(Deno.readTextFileSync(path), "precious");
});

Deno.test({
  name: "nothing is left of what was not closed when the executor is killed",
  ignore: windows,
  fn: async () => {
    using directory = new TemporaryDirectory();
    using temporary = new TemporaryDirectory();
    const path = directory.write("file", "precious", 0o644);
    const twice = directory.write("twice", "precious", 0o644);
    Deno.linkSync(twice, `${twice} too`);
    const env = { PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin", TMPDIR: temporary.path };
    await using executor = await ListeningExecutor.start({ env });
    await using client = await connectWebSocket(executor.url);
    await client.initialize();
    const files = [path, twice, join(directory.path, "new")].map((name, index) =>
      [new Replacement(client, String(index)), name] as const
    );
    for (const [file, name] of files) {
      succeeds(await file.open(name));
      succeeds(await file.write(0, "torn"));
    }
    await executor.endBy("SIGKILL");
    assertEquals(namesIn(directory.path), ["file", "twice", "twice too"]);
    assertEquals(namesIn(temporary.path), []);
    for (const name of [path, twice]) assertEquals(Deno.readTextFileSync(name), "precious");
  },
});

testWebSocket("a link stays one, and so does a file with several names", async ({ open }) => {
  if (windows) return;
  using directory = new TemporaryDirectory();
  const path = directory.write("file", "old and long content", 0o600);
  Deno.linkSync(path, join(directory.path, "other"));
  Deno.symlinkSync("file", join(directory.path, "link"));
  Deno.symlinkSync("young", join(directory.path, "dangling"));
  await using client = await open();
  for (
    const [name, content] of [["link", "short"], ["link", "longer than it was before"]] as const
  ) {
    const file = new Replacement(client);
    succeeds(await file.open(join(directory.path, name)));
    succeeds(await file.write(0, content));
    succeeds(await file.close());
    assertEquals(Deno.readTextFileSync(path), content);
    assertEquals(Deno.readTextFileSync(join(directory.path, "other")), content);
  }
  const file = new Replacement(client);
  succeeds(await file.open(join(directory.path, "dangling")));
  succeeds(await file.write(0, "young"));
  succeeds(await file.close());
  assertEquals(Deno.readTextFileSync(join(directory.path, "young")), "young");
  assert(Deno.lstatSync(join(directory.path, "dangling")).isSymlink);
});

testWebSocket("what cannot be replaced is told when it is opened", async ({ open }) => {
  if (windows) return;
  using directory = new TemporaryDirectory();
  new Deno.Command("mkfifo", { args: [join(directory.path, "fifo")] }).outputSync();
  await using client = await open();
  const file = new Replacement(client);
  const refusals = {
    [`${directory.path}/missing/file`]: [-32004, "No such file or directory (os error 2)"],
    [directory.path]: [-32603, "Is a directory (os error 21)"],
    [`${directory.path}/fifo`]: [-32600, `path \`${directory.path}/fifo\` is not a file`],
    "/dev/null": [-32600, "path `/dev/null` is not a file"],
  };
  for (const [path, [code, message]] of Object.entries(refusals)) {
    assertEquals((await file.open(path)).error, { code, message });
  }
  const unknown = { code: -32004, message: "unknown file handle `h`" };
  assertEquals((await file.write(0, "x")).error, unknown);
  assertEquals(namesIn(directory.path), ["fifo"]);
});

testWebSocket("blocks are of 1 byte to 1 MiB, and handles have one use", async ({ open }) => {
  using directory = new TemporaryDirectory();
  const path = directory.write("file", "content", 0o644);
  await using client = await open();
  const file = new Replacement(client);
  succeeds(await file.open(path));
  const length = {
    code: -32600,
    message: "file write block length must be between 1 and 1048576",
  };
  for (const size of [0, 1024 * 1024 + 1]) {
    assertEquals((await file.write(0, "x".repeat(size))).error, length);
  }
  assertObjectMatch(await file.writeBlock({ offset: 0, chunk: "***" }), {
    error: { code: -32602 },
  });
  assertObjectMatch(await file.open(path), {
    error: { code: -32600, message: "file handle `h` already exists" },
  });
  const read = await client.request("fs/readBlock", { handleId: "h", offset: 0, len: 1 });
  assertObjectMatch(read, {
    error: { code: -32600, message: "file handle `h` is not open for reading" },
  });
  const handle = { handleId: "r", path: pathToFileURL(path).href };
  succeeds(await client.request("fs/open", { ...handle, mode: "read" }));
  assertObjectMatch(await new Replacement(client, "r").write(0, "x"), {
    error: { code: -32600, message: "file handle `r` is not open for writing" },
  });
  assertObjectMatch(await client.request("fs/open", { ...handle, mode: "append" }), {
    error: { code: -32602 },
  });
  // None of it did any harm.
  succeeds(await file.write(0, "new"));
  succeeds(await file.close());
  assertEquals(Deno.readTextFileSync(path), "new");
});

testWebSocket("a block that failed leaves the file as it was", async ({ open }) => {
  if (windows) return;
  using directory = new TemporaryDirectory();
  const path = directory.write("file", "content", 0o644);
  await using client = await open();
  const file = new Replacement(client);
  succeeds(await file.open(path));
  succeeds(await file.write(0, "new"));
  const failed = await file.write(Number.MAX_SAFE_INTEGER - 1, "past any file's end");
  assert(isRecord(failed.error), JSON.stringify(failed));
  assertObjectMatch(await file.write(3, "x"), { error: { code: -32004 } });
  succeeds(await file.close());
  assertEquals(Deno.readTextFileSync(path), "content");
});

testSandboxed("what is written in blocks stays within the policy", async (scene) => {
  const { client, workspace, outside, enclosed } = scene;
  const sandbox = enclosed.sandbox;
  const inside = `${workspace}/file`;
  const file = new Replacement(client);
  for (const content of ["first", "second"]) {
    succeeds(await file.open(inside, sandbox));
    succeeds(await file.write(0, content));
    succeeds(await file.close());
    assertEquals(Deno.readTextFileSync(inside), content);
    assertEquals(Deno.statSync(inside).uid, Deno.statSync(workspace).uid);
  }
  Deno.symlinkSync(outside, `${workspace}/out`);
  for (const path of [`${outside}/new`, `${outside}/secret`, `${workspace}/out/new`]) {
    assertObjectMatch(await file.open(path, sandbox), { error: { code: -32603 } });
  }
  assertEquals(namesIn(outside), ["secret"]);
  assertEquals(Deno.readTextFileSync(`${outside}/secret`), "secret\n");
});

testSandboxed(
  "a name that leads elsewhere at the end gets nothing written there",
  async (scene) => {
    const { client, workspace, outside, enclosed } = scene;
    Deno.mkdirSync(`${workspace}/dir`);
    Deno.chownSync(`${workspace}/dir`, Deno.statSync(workspace).uid, Deno.statSync(workspace).gid);
    const file = new Replacement(client);
    succeeds(await file.open(`${workspace}/dir/secret`, enclosed.sandbox));
    succeeds(await file.write(0, "stolen"));
    Deno.removeSync(`${workspace}/dir`, { recursive: true });
    Deno.symlinkSync(outside, `${workspace}/dir`);
    assertObjectMatch(await file.close(), { error: { code: -32603 } });
    assertEquals(Deno.readTextFileSync(`${outside}/secret`), "secret\n");
    assertEquals(namesIn(outside), ["secret"]);
  },
);

testSandboxed("a denied file, and one that is granted by itself", async (scene) => {
  const { client, workspace, outside, enclosed } = scene;
  const file = new Replacement(client);
  const granted = [glob("**/*.key"), grant(`${outside}/secret`, "write")];
  const entries = [special("root", "read"), special("project_roots", "write"), ...granted];
  const permissions = {
    type: "managed",
    file_system: { type: "restricted", entries },
    network: "restricted",
  };
  assert(isRecord(enclosed.sandbox));
  const sandbox = { ...enclosed.sandbox, permissions };
  assertObjectMatch(await file.open(`${workspace}/a.key`, sandbox), { error: { code: -32600 } });
  assertEquals(namesIn(workspace), []);
  succeeds(await file.open(`${outside}/secret`, sandbox));
  succeeds(await file.write(0, "new"));
  succeeds(await file.close());
  assertEquals(Deno.readTextFileSync(`${outside}/secret`), "new");
  assertEquals(namesIn(outside), ["secret"]);
});
