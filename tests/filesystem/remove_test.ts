import { assertEquals } from "@std/assert";
import {
  DONE,
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
  await directory.fill({ "f": "x", "d/f": "x", "d/sub/g": "x" });
  await Deno.mkdir(directory.at("empty"));
  await Deno.symlink("d", directory.at("link"));
  await Deno.symlink("nowhere", directory.at("dangling"));
  await Deno.symlink("loop", directory.at("loop"));
  return directory;
}

Deno.test("files, links, FIFOs and whole directories are removed", async () => {
  await using directory = await prepared();
  await directory.makeFifo("fifo");
  const remove = (name: string, options = {}) =>
    perform("fs/remove", { path: directory.uri(name), ...options });
  assertEquals(await remove("f", { recursive: false }), DONE);
  assertEquals(await remove("fifo"), DONE);
  assertEquals(await remove("dangling", { force: false }), DONE);
  assertEquals(await remove("loop"), DONE);
  assertEquals(await remove("empty", { recursive: false }), DONE);
  assertEquals(await directory.names(), ["d", "link"]);
  assertEquals(await remove("d", { recursive: null, force: null }), DONE);
  assertEquals(await directory.names(), ["link"]);
});

Deno.test("of a link to a directory only the link is removed", async () => {
  await using directory = await prepared();
  assertEquals(await perform("fs/remove", { path: directory.uri("link/") }), DONE);
  assertEquals(await directory.names("d"), ["f", "sub"]);
  assertEquals((await directory.names()).includes("link"), false);
});

Deno.test("links inside a removed directory are not followed", async () => {
  await using directory = await prepared();
  await directory.fill({ "victim/f": "x" });
  await Deno.symlink("../victim", directory.at("d/out"));
  assertEquals(await perform("fs/remove", { path: directory.uri("d") }), DONE);
  assertEquals(await directory.names("victim"), ["f"]);
});

Deno.test("a directory with something in it is not removed without recursive", async () => {
  await using directory = await prepared();
  assertEquals(
    await perform("fs/remove", { path: directory.uri("d"), recursive: false }),
    { code: -32603, message: "Directory not empty (os error 39)" },
  );
  assertEquals(await directory.names("d"), ["f", "sub"]);
});

Deno.test("there need not be anything to remove, unless force is false", async () => {
  await using directory = await prepared();
  for (const name of ["missing", "missing/x", "dangling/x"]) {
    const path = directory.uri(name);
    assertEquals(await perform("fs/remove", { path }), DONE);
    assertEquals(await perform("fs/remove", { path, force: false }), NOT_FOUND);
  }
});

Deno.test("force does not excuse other failures", async () => {
  await using directory = await prepared();
  const remove = (name: string) => perform("fs/remove", { path: directory.uri(name) });
  assertEquals(await remove("f/x"), NOT_A_DIRECTORY);
  assertEquals(await remove("loop/x"), LINK_LOOP);
  assertEquals(await remove(LONG_NAME), NAME_TOO_LONG);
  assertEquals(await perform("fs/remove", { path: FOREIGN_URI }), FOREIGN);
});
