import { assertEquals, assertThrows } from "@std/assert";
import { openWithoutLinks } from "../../../src/os/open_at.ts";
import { closeDescriptor } from "../../../src/os/descriptor.ts";
import { RpcError } from "../../../src/protocol/errors.ts";
import { Placeholders } from "../../../src/sandbox/bubblewrap/placeholders.ts";

// Opens the C library, which stays open for good, where no single test is blamed for it.
if (Deno.build.os === "linux") closeDescriptor(openWithoutLinks("/"));

/** Runs a test in an empty directory; each `Placeholders` stands for an executor. */
function test(name: string, body: (directory: string) => void): void {
  Deno.test(name, () => {
    const directory = Deno.makeTempDirSync();
    try {
      body(directory);
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  });
}

function names(directory: string): string[] {
  return Array.from(Deno.readDirSync(directory), ({ name }) => name).sort();
}

test("a placeholder is there until the last command lets go", (directory) => {
  const placeholders = new Placeholders();
  assertEquals(placeholders.hold(`${directory}/.git`), "held");
  assertEquals(placeholders.hold(`${directory}/.git`), "held");
  placeholders.release(`${directory}/.git`);
  assertEquals(names(directory), [".git"]);
  placeholders.release(`${directory}/.git`);
  assertEquals(names(directory), []);
  placeholders.release(`${directory}/.git`);
});

test("all can be let go of at once", (directory) => {
  const placeholders = new Placeholders();
  for (const name of [".git", ".agents", ".git"]) placeholders.hold(`${directory}/${name}`);
  placeholders.releaseAll();
  assertEquals(names(directory), []);
  placeholders.releaseAll();
});

test("executors wait for each other, whichever made it", (directory) => {
  const [first, second] = [new Placeholders(), new Placeholders()];
  first.hold(`${directory}/.git`);
  second.hold(`${directory}/.git`);
  first.release(`${directory}/.git`);
  assertEquals(names(directory), [".git"]);
  second.release(`${directory}/.git`);
  assertEquals(names(directory), []);
});

test("the placeholder of a killed executor is taken over", (directory) => {
  const killed = new Placeholders();
  killed.hold(`${directory}/.git`);
  const { mtime } = Deno.statSync(`${directory}/.git`);
  killed.release(`${directory}/.git`);
  // Its lock is gone with it, its directory is not.
  Deno.mkdirSync(`${directory}/.git`);
  Deno.utimeSync(`${directory}/.git`, mtime ?? 0, mtime ?? 0);

  const next = new Placeholders();
  assertEquals(next.hold(`${directory}/.git`), "held");
  next.release(`${directory}/.git`);
  assertEquals(names(directory), []);
});

test("what others have made is left alone", (directory) => {
  const placeholders = new Placeholders();
  Deno.mkdirSync(`${directory}/empty`);
  Deno.mkdirSync(`${directory}/full`);
  Deno.writeTextFileSync(`${directory}/full/x`, "");
  Deno.writeTextFileSync(`${directory}/file`, "");
  assertEquals(placeholders.hold(`${directory}/empty`), "held");
  assertEquals(placeholders.hold(`${directory}/full`), "occupied");
  assertEquals(placeholders.hold(`${directory}/file`), "occupied");
  placeholders.release(`${directory}/empty`);
  assertEquals(names(directory), ["empty", "file", "full"]);
});

test("what others have put into a placeholder is kept", (directory) => {
  const placeholders = new Placeholders();
  placeholders.hold(`${directory}/.git`);
  Deno.writeTextFileSync(`${directory}/.git/HEAD`, "");
  placeholders.release(`${directory}/.git`);
  assertEquals(names(`${directory}/.git`), ["HEAD"]);
});

test("what others have put in a placeholder's place is kept", (directory) => {
  const placeholders = new Placeholders();
  placeholders.hold(`${directory}/.git`);
  Deno.renameSync(`${directory}/.git`, `${directory}/moved`);
  Deno.mkdirSync(`${directory}/.git`);
  placeholders.release(`${directory}/.git`);
  assertEquals(names(directory), [".git", "moved"]);
});

test("what cannot be made says so", (directory) => {
  Deno.writeTextFileSync(`${directory}/file`, "");
  assertThrows(() => new Placeholders().hold(`${directory}/missing/x`), RpcError, "cannot keep");
});
