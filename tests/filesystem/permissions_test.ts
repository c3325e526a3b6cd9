import { assertEquals } from "@std/assert";
import { methods } from "../../src/protocol/methods.ts";
import { base64, DENIED, DONE, EXISTS, type Outcome, type Request } from "./perform.ts";
import { performInChild, withoutPrivileges } from "./perform_in_child.ts";
import { TestDirectory } from "../support/test_directory.ts";

async function performUnprivileged(requests: readonly Request[]): Promise<Outcome[]> {
  return (await performInChild(requests, withoutPrivileges)).outcomes;
}

const options = {
  maxDepth: 5,
  maxDirectories: 100,
  maxEntries: 100,
  followDirectorySymlinks: false,
};

/** Directories that deny one thing each; given back their permissions at the end. */
class DenyingDirectory implements AsyncDisposable {
  private constructor(readonly directory: TestDirectory) {}

  static async create(): Promise<DenyingDirectory> {
    const directory = await TestDirectory.create();
    await directory.fill({
      "unreadable": "x",
      "read-only": "old",
      "closed/f": "in",
      "unsearchable/f": "in",
      "unlistable/f": "in",
      "unwritable/f": "old",
      "unwritable/sub/f": "in",
      "open/f": "in",
    });
    for (
      const [name, mode] of Object.entries({
        "unreadable": 0,
        "read-only": 0o444,
        "closed": 0,
        "unsearchable": 0o600,
        "unlistable": 0o300,
        "unwritable": 0o500,
      })
    ) await Deno.chmod(directory.at(name), mode);
    return new DenyingDirectory(directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for await (const { name, isDirectory } of Deno.readDir(this.directory.path)) {
      if (isDirectory) await Deno.chmod(this.directory.at(name), 0o700);
    }
    await this.directory[Symbol.asyncDispose]();
  }
}

Deno.test("reading needs the permissions that the system asks for", async () => {
  await using denying = await DenyingDirectory.create();
  const { directory } = denying;
  const path = (name: string) => ({ path: directory.uri(name) });
  const file = { result: { dataBase64: base64("in") } };
  const listed = { result: { entries: [{ fileName: "f", isDirectory: false, isFile: true }] } };
  assertEquals(
    await performUnprivileged([
      ["fs/readFile", path("unreadable")],
      ["fs/readFile", path("unsearchable/f")],
      ["fs/readFile", path("unlistable/f")],
      ["fs/getMetadata", path("unsearchable/f")],
      ["fs/canonicalize", path("unsearchable/f")],
      ["fs/readDirectory", path("closed")],
      ["fs/readDirectory", path("unlistable")],
      ["fs/readDirectory", path("unsearchable")],
    ]),
    [DENIED, DENIED, file, DENIED, DENIED, DENIED, DENIED, listed],
  );
});

Deno.test("a walk reports what it may not look at and goes on", async () => {
  await using denying = await DenyingDirectory.create();
  const { directory } = denying;
  const [outcome] = await performUnprivileged([
    ["fs/walk", { path: directory.uri(""), options }],
  ]);
  const { entries, errors, truncated } = methods["fs/walk"].result.parse(
    outcome !== undefined && "result" in outcome ? outcome.result : undefined,
  );
  const name = (path: { toString(): string }) =>
    path.toString().slice(directory.uri("").length + 1);
  assertEquals(entries.map(({ path }) => name(path)), [
    "closed",
    "open",
    "read-only",
    "unlistable",
    "unreadable",
    "unsearchable",
    "unwritable",
    "open/f",
    "unwritable/f",
    "unwritable/sub",
    "unwritable/sub/f",
  ]);
  const message = "Permission denied (os error 13)";
  assertEquals(errors.map((error) => [name(error.path), error.message]), [
    ["closed", message],
    ["unlistable", message],
    ["unsearchable/f", message],
  ]);
  assertEquals(truncated, false);
});

Deno.test("writing needs the permissions that the system asks for, and no more", async () => {
  await using denying = await DenyingDirectory.create();
  const { directory } = denying;
  const write = (name: string): Request => [
    "fs/writeFile",
    { path: directory.uri(name), dataBase64: base64("new") },
  ];
  assertEquals(
    await performUnprivileged([
      write("read-only"),
      write("unsearchable/new"),
      write("unwritable/new"),
      write("unwritable/f"),
      write("unlistable/new"),
    ]),
    [DENIED, DENIED, DENIED, DONE, DONE],
  );
  assertEquals(await directory.text("read-only"), "old");
  assertEquals(await directory.text("unwritable/f"), "new");
  assertEquals(await directory.names("unwritable"), ["f", "sub"]);
  assertEquals(await directory.names("unlistable"), ["f", "new"]);
});

Deno.test("creating, removing and copying need them, too", async () => {
  await using denying = await DenyingDirectory.create();
  const { directory } = denying;
  const path = (name: string, more: object = {}) => ({ path: directory.uri(name), ...more });
  const copy = (from: string, to: string, recursive = false): Request => [
    "fs/copy",
    { sourcePath: directory.uri(from), destinationPath: directory.uri(to), recursive },
  ];
  assertEquals(
    await performUnprivileged([
      ["fs/createDirectory", path("unwritable/new")],
      ["fs/createDirectory", path("unwritable/sub")],
      ["fs/createDirectory", path("unwritable/sub", { recursive: false })],
      ["fs/createDirectory", path("closed/a/b")],
      ["fs/remove", path("unwritable/f")],
      ["fs/remove", path("unsearchable/f")],
      ["fs/remove", path("closed")],
      copy("unreadable", "new"),
      copy("open/f", "unwritable/new"),
      copy("open/f", "read-only"),
      copy("open", "unwritable/new", true),
      copy("unlistable", "open/new", true),
    ]),
    [DENIED, DONE, EXISTS, ...Array.from({ length: 9 }, () => DENIED)],
  );
  assertEquals(await directory.text("read-only"), "old");
  assertEquals((await directory.names()).includes("new"), false);
});

Deno.test({
  name: "a file whose owner cannot be kept is written in place",
  // Others cannot give files away in the first place.
  ignore: Deno.uid() !== 0,
  async fn() {
    await using directory = await TestDirectory.create();
    await directory.fill({ "f": "old" });
    await Deno.chmod(directory.at("f"), 0o666);
    await Deno.chown(directory.at("f"), 1234, 2345);
    const before = await Deno.stat(directory.at("f"));
    const params = { path: directory.uri("f"), dataBase64: base64("new") };
    assertEquals(await performUnprivileged([["fs/writeFile", params]]), [DONE]);
    assertEquals(await directory.text("f"), "new");
    const after = await Deno.stat(directory.at("f"));
    assertEquals([after.uid, after.gid, after.ino], [1234, 2345, before.ino]);
    assertEquals(await directory.names(), ["f"]);
  },
});
