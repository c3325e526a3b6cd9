import { assertEquals } from "@std/assert";
import {
  DONE,
  EXISTS,
  FOREIGN,
  FOREIGN_URI,
  LINK_LOOP,
  LONG_NAME,
  NAME_TOO_LONG,
  NOT_A_DIRECTORY,
  NOT_FOUND,
  perform,
} from "./perform.ts";
import { TestDirectory } from "../support/test_directory.ts";

async function prepared(): Promise<TestDirectory> {
  const directory = await TestDirectory.create();
  await directory.fill({ "f": "x", "d/f": "x" });
  await Deno.symlink("d", directory.at("link"));
  await Deno.symlink("nowhere", directory.at("dangling"));
  await Deno.symlink("loop", directory.at("loop"));
  return directory;
}

Deno.test("directories are created with those above them, unless told otherwise", async () => {
  await using directory = await prepared();
  const create = (name: string, options = {}) =>
    perform("fs/createDirectory", { path: directory.uri(name), ...options });
  assertEquals(await create("a/b/c"), DONE);
  assertEquals(await directory.names("a/b"), ["c"]);
  assertEquals(await create("n", { recursive: false }), DONE);
  assertEquals(await create("link/n", { recursive: false }), DONE);
  assertEquals(await directory.names("d"), ["f", "n"]);
  assertEquals(await create("x/y", { recursive: null }), DONE);
  assertEquals(await create("p/q", { recursive: false }), NOT_FOUND);
});

Deno.test("a directory may be there already, if those above it may be missing", async () => {
  await using directory = await prepared();
  for (const name of ["d", "link", ""]) {
    const path = directory.uri(name);
    assertEquals(await perform("fs/createDirectory", { path }), DONE);
    assertEquals(await perform("fs/createDirectory", { path, recursive: false }), EXISTS);
  }
  assertEquals(await perform("fs/createDirectory", { path: "file:///" }), DONE);
});

Deno.test("where there is something else no directory is created", async () => {
  await using directory = await prepared();
  for (const recursive of [true, false]) {
    const create = (name: string) =>
      perform("fs/createDirectory", { path: directory.uri(name), recursive });
    assertEquals(await create("f"), EXISTS);
    assertEquals(await create("dangling"), EXISTS);
    assertEquals(await create("loop"), EXISTS);
    assertEquals(await create("f/x"), NOT_A_DIRECTORY);
    assertEquals(await create("loop/x"), LINK_LOOP);
    assertEquals(await create(LONG_NAME), NAME_TOO_LONG);
    assertEquals(await create("dangling/x"), recursive ? EXISTS : NOT_FOUND);
  }
  assertEquals(await perform("fs/createDirectory", { path: FOREIGN_URI }), FOREIGN);
  assertEquals(await directory.names(), ["d", "dangling", "f", "link", "loop"]);
});
