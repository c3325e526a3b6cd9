import { assert, assertEquals } from "@std/assert";
import { methods } from "../../src/protocol/methods.ts";
import {
  FOREIGN,
  FOREIGN_URI,
  LINK_LOOP,
  NOT_A_DIRECTORY,
  NOT_FOUND,
  type Outcome,
  perform,
} from "./perform.ts";
import { TestDirectory } from "../support/test_directory.ts";

const WIDE = { maxDepth: 5, maxDirectories: 100, maxEntries: 100, followDirectorySymlinks: false };

/** A tree with everything in it that a walk lists, enters or leaves out. */
async function prepared(): Promise<TestDirectory> {
  const directory = await TestDirectory.create();
  await directory.fill({ "t/a/1": "x", "t/b/c/2": "x", "t/.hidden/3": "x", "t/f": "x" });
  await directory.makeFifo("t/fifo");
  await Deno.symlink("a", directory.at("t/la"));
  await Deno.symlink("..", directory.at("t/b/up"));
  await Deno.symlink("f", directory.at("t/lf"));
  await Deno.symlink("nowhere", directory.at("t/dangling"));
  return directory;
}

/** What the answer says, as lines: paths below `t`, a slash behind directories. */
async function walked(directory: TestDirectory, options: object, root = "t"): Promise<string> {
  const outcome = await perform("fs/walk", {
    path: directory.uri(root),
    options: { ...WIDE, ...options },
  });
  const { entries, errors, truncated } = answerOf(outcome);
  assertEquals(errors, []);
  const start = directory.uri(root).length + 1;
  const names = entries.map(({ path, kind }) =>
    path.toString().slice(start) + (kind === "directory" ? "/" : "")
  );
  return names.join(" ") + (truncated ? " …" : "");
}

function answerOf(outcome: Outcome) {
  assert("result" in outcome, JSON.stringify(outcome));
  return methods["fs/walk"].result.parse(outcome.result);
}

Deno.test("the answer has exactly these members", async () => {
  await using directory = await TestDirectory.create();
  await directory.fill({ "d/sp ace": "x" });
  assertEquals(await perform("fs/walk", { path: directory.uri(""), options: WIDE }), {
    result: {
      entries: [
        { path: directory.uri("d"), kind: "directory" },
        { path: `${directory.uri("d")}/sp%20ace`, kind: "file" },
      ],
      errors: [],
      truncated: false,
    },
  });
});

Deno.test("a tree is walked breadth first, without links and special files", async () => {
  await using directory = await prepared();
  assertEquals(
    await walked(directory, {}),
    ".hidden/ a/ b/ f .hidden/3 a/1 b/c/ b/c/2",
  );
});

Deno.test("links to directories are followed on request, each directory entered once", async () => {
  await using directory = await prepared();
  assertEquals(
    await walked(directory, { followDirectorySymlinks: true }),
    ".hidden/ a/ b/ f la/ .hidden/3 a/1 b/c/ b/up/ b/c/2",
  );
});

Deno.test("maxDepth 0 is the directory itself", async () => {
  await using directory = await prepared();
  assertEquals(await walked(directory, { maxDepth: 0 }), ".hidden/ a/ b/ f");
  assertEquals(await walked(directory, { maxDepth: 1 }), ".hidden/ a/ b/ f .hidden/3 a/1 b/c/");
});

Deno.test("past maxDirectories no directory is entered", async () => {
  await using directory = await prepared();
  assertEquals(await walked(directory, { maxDirectories: 1 }), ".hidden/ a/ b/ f …");
  assertEquals(
    await walked(directory, { maxDirectories: 3 }),
    ".hidden/ a/ b/ f .hidden/3 a/1 …",
  );
  assertEquals(
    await walked(directory, { maxDirectories: 5 }),
    ".hidden/ a/ b/ f .hidden/3 a/1 b/c/ b/c/2",
  );
});

Deno.test("maxEntries counts what is left out, but not dangling links", async () => {
  await using directory = await prepared();
  // In order: .hidden, a, b, f, fifo, la, lf.
  assertEquals(await walked(directory, { maxEntries: 3 }), ".hidden/ a/ b/ …");
  assertEquals(await walked(directory, { maxEntries: 6 }), ".hidden/ a/ b/ f …");
  assertEquals(await walked(directory, { maxEntries: 8 }), ".hidden/ a/ b/ f .hidden/3 …");
});

Deno.test("hidden directories are listed but not entered on request", async () => {
  await using directory = await prepared();
  assertEquals(
    await walked(directory, { pruneHiddenDirectories: true }),
    ".hidden/ a/ b/ f a/1 b/c/ b/c/2",
  );
  assertEquals(await walked(directory, { pruneHiddenDirectories: true }, "t/.hidden"), "3");
});

Deno.test("entries are in the order of their names' bytes", async () => {
  await using directory = await TestDirectory.create();
  const names = ["A", "a", "a b", "a-", "z", "é", "\uFF5E", "😀"];
  for (const name of names) await directory.fill({ [`t/${name}`]: "" });
  assertEquals(decodeURIComponent(await walked(directory, {})), names.join(" "));
});

Deno.test("a walk from what is no directory finds nothing", async () => {
  await using directory = await prepared();
  assertEquals(await walked(directory, {}, "t/f"), "");
  assertEquals(await walked(directory, {}, "t/la"), "");
  assertEquals(await walked(directory, { followDirectorySymlinks: true }, "t/la"), "1");
  assertEquals(await walked(directory, { followDirectorySymlinks: true }, "t/lf"), "");
});

Deno.test("a walk from nowhere fails", async () => {
  await using directory = await prepared();
  await Deno.symlink("loop", directory.at("loop"));
  const walk = (path: string) => perform("fs/walk", { path, options: WIDE });
  assertEquals(await walk(directory.uri("missing")), NOT_FOUND);
  assertEquals(await walk(directory.uri("t/dangling")), NOT_FOUND);
  assertEquals(await walk(directory.uri("t/f/x")), NOT_A_DIRECTORY);
  assertEquals(await walk(directory.uri("loop")), LINK_LOOP);
  assertEquals(await walk(FOREIGN_URI), FOREIGN);
});

Deno.test("limits out of range are refused, whatever the path", async () => {
  const walk = (options: object) =>
    perform("fs/walk", { path: "file:///missing", options: { ...WIDE, ...options } });
  const tooSmall = {
    code: -32600,
    message: "filesystem walk limits must be greater than zero",
  };
  const tooLarge = {
    code: -32600,
    message: "filesystem walk limits exceed maximums: depth=64, directories=10000, entries=50000",
  };
  assertEquals(await walk({ maxDirectories: 0 }), tooSmall);
  assertEquals(await walk({ maxEntries: 0 }), tooSmall);
  assertEquals(await walk({ maxDepth: 65 }), tooLarge);
  assertEquals(await walk({ maxDirectories: 10_001 }), tooLarge);
  assertEquals(await walk({ maxEntries: 50_001 }), tooLarge);
  assertEquals(await walk({ maxDepth: 64, maxDirectories: 10_000, maxEntries: 50_000 }), NOT_FOUND);
});

Deno.test("the four options of old are required", () => {
  const { params } = methods["fs/walk"];
  assert(params.safeParse({ path: "file:///", options: WIDE }).success);
  for (const missing of Object.keys(WIDE)) {
    const options = { ...WIDE, [missing]: undefined };
    assert(!params.safeParse({ path: "file:///", options }).success, missing);
  }
});

Deno.test("an answer is cut at 4 MiB, with 64 bytes counted for each entry", async () => {
  await using directory = await TestDirectory.create();
  // Percent-encoding triples the length of a name.
  const name = "é".repeat(120);
  const itemBytes = directory.uri(`d/0000${name}`).length + 64;
  const expected = Math.floor((4 * 1024 * 1024 - directory.uri("d").length - 64) / itemBytes);
  await Deno.mkdir(directory.at("d"));
  for (let index = 0; index < expected + 10; index++) {
    Deno.writeTextFileSync(directory.at(`d/${String(index).padStart(4, "0")}${name}`), "");
  }
  const options = { ...WIDE, maxEntries: 50_000 };
  const answer = answerOf(await perform("fs/walk", { path: directory.uri(""), options }));
  assertEquals(answer.truncated, true);
  assertEquals(answer.entries.length, expected + 1);
});
