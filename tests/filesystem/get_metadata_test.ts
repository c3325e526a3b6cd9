import { assertEquals } from "@std/assert";
import {
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

Deno.test("metadata describe what a path leads to, and whether it is a link", async () => {
  await using directory = await TestDirectory.create();
  await directory.fill({ "f": "hello", "d/f": "" });
  await directory.makeFifo("fifo");
  await Deno.symlink("f", directory.at("link"));
  await Deno.symlink("d", directory.at("dirlink"));
  const modified = new Date("2001-02-03T04:05:06.789Z");
  for (const name of ["f", "d", "fifo"]) await Deno.utime(directory.at(name), modified, modified);
  const created = async (name: string) =>
    (await Deno.stat(directory.at(name))).birthtime?.getTime() ?? 0;
  const expected = {
    f: { isDirectory: false, isFile: true, isSymlink: false, size: 5 },
    link: { isDirectory: false, isFile: true, isSymlink: true, size: 5 },
    d: { isDirectory: true, isFile: false, isSymlink: false },
    dirlink: { isDirectory: true, isFile: false, isSymlink: true },
    fifo: { isDirectory: false, isFile: false, isSymlink: false, size: 0 },
  };
  for (const [name, metadata] of Object.entries(expected)) {
    assertEquals(await perform("fs/getMetadata", { path: directory.uri(name) }), {
      result: {
        size: (await Deno.stat(directory.at(name))).size,
        ...metadata,
        createdAtMs: await created(name),
        modifiedAtMs: modified.getTime(),
      },
    });
  }
});

Deno.test({
  name: "the creation time is 0 where the system has none",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const { mtime } = await Deno.stat("/proc");
    assertEquals(await perform("fs/getMetadata", { path: "file:///proc" }), {
      result: {
        isDirectory: true,
        isFile: false,
        isSymlink: false,
        size: 0,
        createdAtMs: 0,
        modifiedAtMs: mtime?.getTime(),
      },
    });
  },
});

Deno.test("a path that leads nowhere has no metadata", async () => {
  await using directory = await TestDirectory.create();
  await directory.fill({ "f": "x" });
  await Deno.symlink("nowhere", directory.at("dangling"));
  await Deno.symlink("loop", directory.at("loop"));
  for (const method of ["fs/getMetadata", "fs/canonicalize"] as const) {
    const ask = (name: string) => perform(method, { path: directory.uri(name) });
    assertEquals(await ask("missing"), NOT_FOUND);
    assertEquals(await ask("dangling"), NOT_FOUND);
    assertEquals(await ask("f/x"), NOT_A_DIRECTORY);
    assertEquals(await ask("loop"), LINK_LOOP);
    assertEquals(await ask(LONG_NAME), NAME_TOO_LONG);
    assertEquals(await perform(method, { path: FOREIGN_URI }), FOREIGN);
  }
});
