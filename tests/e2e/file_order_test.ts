import { assert, assertEquals, assertObjectMatch } from "@std/assert";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { base64 } from "./support/base64.ts";
import { testBoth, testWebSocket } from "./support/both_transports.ts";
import type { Message } from "./support/inbox.ts";
import type { RawClient } from "./support/raw_client.ts";
import { enclosedIn } from "./sandbox/support/sandboxed.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

// Clients that send requests without waiting for the answers before.

/** Takes its time: larger than what is written in the turn in which it came. */
const LARGE = "a".repeat(1_500_000);
const ROUNDS = 5;

/** Asks for files by their names in a directory. */
class Files {
  readonly #client: RawClient;
  readonly #directory: string;
  readonly #more: Message;

  /** @param more members of every request */
  constructor(client: RawClient, { path }: TemporaryDirectory, more: Message = {}) {
    this.#client = client;
    this.#directory = path;
    this.#more = more;
  }

  ask(method: string, name: string, params: Message = {}): Promise<Message> {
    const path = pathToFileURL(join(this.#directory, name)).href;
    return this.#client.request(method, { path, ...this.#more, ...params });
  }

  write(name: string, content: string): Promise<Message> {
    return this.ask("fs/writeFile", name, { dataBase64: base64(content) });
  }
}

async function succeed(answers: readonly Promise<Message>[]): Promise<void> {
  for (const answer of answers) assertObjectMatch(await answer, { result: {} });
}

/** What is there, said briefly. */
function contentOf(directory: TemporaryDirectory, name: string): string {
  return Deno.readTextFileSync(join(directory.path, name)).replace(/(.)\1*/g, "$1");
}

testBoth("of two writes to a file the later one stays", async ({ open }) => {
  using directory = new TemporaryDirectory();
  await using client = await open();
  const files = new Files(client, directory);
  for (let round = 0; round < ROUNDS; round++) {
    await succeed([files.write("f", LARGE), files.write("f", "b")]);
    assertEquals(contentOf(directory, "f"), "b");
    await succeed([files.write("f", LARGE), files.write("f", "b".repeat(200_000))]);
    assertEquals(contentOf(directory, "f"), "b");
  }
});

testWebSocket("of two writes to a file under a policy the later one stays", async ({ open }) => {
  if (Deno.build.os !== "linux") return;
  using directory = new TemporaryDirectory();
  await using client = await open();
  const files = new Files(client, directory, { sandbox: enclosedIn(directory.path).sandbox });
  for (let round = 0; round < ROUNDS; round++) {
    await succeed([files.write("f", LARGE), files.write("f", "b")]);
    assertEquals(contentOf(directory, "f"), "b");
  }
});

testBoth("a write that fails does not hold up the next", async ({ open }) => {
  using directory = new TemporaryDirectory();
  await using client = await open();
  const files = new Files(client, directory);
  const failing = files.ask("fs/writeFile", "f", { dataBase64: `${base64(LARGE)}?` });
  const next = files.write("f", "b");
  assertObjectMatch(await failing, { error: { code: -32600 } });
  await succeed([next]);
  assertEquals(contentOf(directory, "f"), "b");
});

testBoth("changes of a file are made in the order in which they came", async ({ open }) => {
  using directory = new TemporaryDirectory();
  await using client = await open();
  const files = new Files(client, directory);
  const file = join(directory.path, "f");
  for (let round = 0; round < ROUNDS; round++) {
    await succeed([files.write("f", LARGE), files.ask("fs/remove", "f")]);
    assertEquals([...Deno.readDirSync(directory.path)], []);
    await succeed([
      files.write("f", LARGE),
      files.ask("fs/setAttributes", "f", { permissions: 0o600 }),
    ]);
    if (Deno.build.os !== "windows") assertEquals((Deno.statSync(file).mode ?? 0) & 0o777, 0o600);
    await succeed([
      files.ask("fs/remove", "f"),
      files.write("f", LARGE),
      files.ask("fs/open", "f", { handleId: "h", mode: "replace" }),
      client.request("fs/writeBlock", { handleId: "h", offset: 0, chunk: base64("b") }),
      client.request("fs/close", { handleId: "h" }),
      files.write("f", "c"),
      files.ask("fs/copy", "f", {
        sourcePath: pathToFileURL(directory.write("source", "d", 0o644)).href,
        destinationPath: pathToFileURL(file).href,
        recursive: false,
      }),
    ]);
    assertEquals(contentOf(directory, "f"), "d");
    Deno.removeSync(file);
    Deno.removeSync(join(directory.path, "source"));
  }
});

testBoth("what is written comes after the directories that it is in", async ({ open }) => {
  using directory = new TemporaryDirectory();
  await using client = await open();
  const files = new Files(client, directory);
  for (let round = 0; round < ROUNDS; round++) {
    await succeed([
      files.ask("fs/createDirectory", "q/r", { recursive: true }),
      files.write("q/r/small", "a"),
      files.write("q/r/large", LARGE),
    ]);
    assertEquals([contentOf(directory, "q/r/small"), contentOf(directory, "q/r/large")], [
      "a",
      "a",
    ]);
    await succeed([
      files.ask("fs/remove", "q", { recursive: true }),
      files.ask("fs/createDirectory", "q/", { recursive: false }),
      files.write("q/f", "b"),
    ]);
    assertEquals(contentOf(directory, "q/f"), "b");
    Deno.removeSync(join(directory.path, "q"), { recursive: true });
  }
});

testWebSocket("a file with several names holds one content, not parts of two", async ({ open }) => {
  if (Deno.build.os === "windows") return;
  using directory = new TemporaryDirectory();
  const file = directory.write("f", "old", 0o644);
  Deno.linkSync(file, join(directory.path, "hard"));
  await using client = await open();
  await using other = await open();
  const files = new Files(client, directory);
  const [long, short] = ["a".repeat(300_000), "b".repeat(200_000)];
  for (let round = 0; round < ROUNDS; round++) {
    await succeed([files.write("f", long), files.write("f", short)]);
    assert(Deno.readTextFileSync(file) === short, `${contentOf(directory, "f")} is there`);
    for (const others of [files, new Files(other, directory)]) {
      await succeed([files.write("f", long), others.write("hard", short)]);
      const content = Deno.readTextFileSync(file);
      assert([long, short].includes(content), `${contentOf(directory, "f")} is there`);
    }
  }
});

testBoth(
  "blocks are of the file that had the handle when they were asked for",
  async ({ open }) => {
    using directory = new TemporaryDirectory();
    directory.write("big", "a".repeat(1_000_000), 0o644);
    directory.write("f", "b".repeat(1_000_000), 0o644);
    await using client = await open();
    const files = new Files(client, directory);
    const block = { handleId: "h", offset: 0, len: 5 };
    for (const reopened of [false, true]) {
      const opened = files.ask("fs/open", "big", { handleId: "h" });
      const blocks = Array.from({ length: 20 }, () => client.request("fs/readBlock", block));
      const closed = client.request("fs/close", { handleId: "h" });
      const after = reopened ? [files.ask("fs/open", "f", { handleId: "h" })] : [];
      const late = client.request("fs/readBlock", block);
      await succeed([opened, closed, ...after]);
      for (const answer of blocks) {
        assertEquals((await answer).result, { chunk: base64("aaaaa"), eof: false });
      }
      assertObjectMatch(
        await late,
        reopened ? { result: { chunk: base64("bbbbb") } } : { error: { code: -32004 } },
      );
    }
  },
);
