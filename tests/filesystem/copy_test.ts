import { assertEquals } from "@std/assert";
import {
  DONE,
  EXISTS,
  FOREIGN,
  FOREIGN_URI,
  IS_A_DIRECTORY,
  LINK_LOOP,
  LONG_NAME,
  NAME_TOO_LONG,
  NOT_A_DIRECTORY,
  NOT_FOUND,
  type Outcome,
  perform,
} from "./perform.ts";
import { TestDirectory } from "../support/test_directory.ts";

const INTO_ITSELF: Outcome = {
  code: -32600,
  message: "fs/copy cannot copy a directory to itself or one of its descendants",
};

async function prepared(): Promise<TestDirectory> {
  const directory = await TestDirectory.create();
  await directory.fill({ "f": "file", "g": "other", "d/x": "X", "d/sub/y": "Y" });
  await Deno.mkdir(directory.at("empty"));
  await Deno.symlink("f", directory.at("link"));
  await Deno.symlink("d", directory.at("dirlink"));
  await Deno.symlink("nowhere", directory.at("dangling"));
  await Deno.symlink("loop", directory.at("loop"));
  await Deno.symlink("../sub", directory.at("d/sub/up"));
  await directory.makeFifo("fifo");
  return directory;
}

function copier(directory: TestDirectory) {
  return (source: string, destination: string, recursive = false) =>
    perform("fs/copy", {
      sourcePath: directory.uri(source),
      destinationPath: directory.uri(destination),
      recursive,
    });
}

async function modeOf(path: string): Promise<number> {
  return ((await Deno.stat(path)).mode ?? 0) & 0o7777;
}

Deno.test("a file is copied with its mode, onto a new name or another file", async () => {
  await using directory = await prepared();
  const copy = copier(directory);
  await Deno.chmod(directory.at("f"), 0o751);
  assertEquals(await copy("f", "new"), DONE);
  assertEquals(await copy("f", "g"), DONE);
  for (const name of ["new", "g"]) {
    assertEquals(await directory.text(name), "file");
    assertEquals(await modeOf(directory.at(name)), 0o751);
  }
  await Deno.chmod(directory.at("f"), 0o444);
  assertEquals(await copy("f", "read-only"), DONE);
  assertEquals(await directory.text("read-only"), "file");
  assertEquals(await modeOf(directory.at("read-only")), 0o444);
});

Deno.test("a copy goes through links at the destination", async () => {
  await using directory = await prepared();
  const copy = copier(directory);
  assertEquals(await copy("g", "link"), DONE);
  assertEquals(await directory.text("f"), "other");
  assertEquals(await Deno.readLink(directory.at("link")), "f");
  assertEquals(await copy("g", "dangling"), DONE);
  assertEquals(await directory.text("nowhere"), "other");
  assertEquals(await Deno.readLink(directory.at("dangling")), "nowhere");
});

Deno.test("a file copied onto itself stays as it is", async () => {
  await using directory = await prepared();
  const copy = copier(directory);
  await Deno.link(directory.at("f"), directory.at("hard"));
  assertEquals(await copy("f", "f"), DONE);
  assertEquals(await copy("f", "link"), DONE);
  assertEquals(await copy("f", "hard"), DONE);
  assertEquals(await directory.text("f"), "file");
});

Deno.test("a copy onto one of several names reaches the others", async () => {
  await using directory = await prepared();
  await Deno.link(directory.at("g"), directory.at("hard"));
  assertEquals(await copier(directory)("f", "g"), DONE);
  assertEquals(await directory.text("hard"), "file");
});

Deno.test("a link is copied as a link, where there is nothing yet", async () => {
  await using directory = await prepared();
  const copy = copier(directory);
  for (
    const [source, target] of [["link", "f"], ["dirlink", "d"], ["dangling", "nowhere"]] as const
  ) {
    assertEquals(await copy(source, `${source}2`, source === "dirlink"), DONE);
    assertEquals(await Deno.readLink(directory.at(`${source}2`)), target);
    assertEquals(await copy(source, "g"), EXISTS);
  }
  assertEquals(await copy("link", "f"), EXISTS);
  assertEquals(await directory.text("f"), "file");
});

Deno.test("a directory is copied whole and merged into one that is there", async () => {
  await using directory = await prepared();
  const copy = copier(directory);
  await directory.makeFifo("d/fifo");
  await directory.fill({ "there/x": "old", "there/own": "own" });
  for (const name of ["new", "a/b/new", "empty", "there"]) {
    assertEquals(await copy("d", name, true), DONE);
    const expected = name === "there" ? ["own", "sub", "x"] : ["sub", "x"];
    assertEquals(await directory.names(name), expected);
    assertEquals(await directory.text(`${name}/x`), "X");
    assertEquals(await directory.names(`${name}/sub`), ["up", "y"]);
    assertEquals(await directory.text(`${name}/sub/y`), "Y");
    assertEquals(await Deno.readLink(directory.at(`${name}/sub/up`)), "../sub");
  }
});

Deno.test("merging stops where a link is in the way", async () => {
  await using directory = await prepared();
  const copy = copier(directory);
  assertEquals(await copy("d", "new", true), DONE);
  assertEquals(await copy("d", "new", true), EXISTS);
});

Deno.test("a directory needs recursive", async () => {
  await using directory = await prepared();
  assertEquals(await copier(directory)("d", "new"), {
    code: -32600,
    message: "fs/copy requires recursive: true when sourcePath is a directory",
  });
  assertEquals((await directory.names()).includes("new"), false);
});

Deno.test("a directory is not copied into itself, by whatever way", async () => {
  await using directory = await prepared();
  const copy = copier(directory);
  for (const destination of ["d", "d/inner", "d/a/b", "dirlink", "dirlink/inner", "d/sub/up/z"]) {
    assertEquals(await copy("d", destination, true), INTO_ITSELF);
  }
  assertEquals(
    await perform("fs/copy", {
      sourcePath: "file:///",
      destinationPath: directory.uri("new"),
      recursive: true,
    }),
    INTO_ITSELF,
  );
  assertEquals(await directory.names("d"), ["sub", "x"]);
  assertEquals(await copy("d", "d2", true), DONE);
});

Deno.test("special files are not copied", async () => {
  await using directory = await prepared();
  assertEquals(await copier(directory)("fifo", "new"), {
    code: -32600,
    message: "fs/copy only supports regular files, directories, and symlinks",
  });
});

Deno.test("what cannot be copied is answered with the system's words", async () => {
  await using directory = await prepared();
  const copy = copier(directory);
  assertEquals(await copy("missing", "new"), NOT_FOUND);
  assertEquals(await copy("dangling/x", "new"), NOT_FOUND);
  assertEquals(await copy("f/x", "new"), NOT_A_DIRECTORY);
  assertEquals(await copy(LONG_NAME, "new"), NAME_TOO_LONG);
  assertEquals(await copy("f", "missing/x"), NOT_FOUND);
  assertEquals(await copy("f", "d"), IS_A_DIRECTORY);
  assertEquals(await copy("f", "loop"), LINK_LOOP);
  assertEquals(await copy("f", LONG_NAME), NAME_TOO_LONG);
  assertEquals(await copy("d", "f", true), EXISTS);
  assertEquals(await copy("d", "dangling", true), EXISTS);
  assertEquals(await copy("d", "f/x", true), NOT_A_DIRECTORY);
  assertEquals(await copy("d", "loop/x", true), LINK_LOOP);
  const [sourcePath, destinationPath] = [directory.uri("f"), directory.uri("new")];
  for (const paths of [{ sourcePath: FOREIGN_URI }, { destinationPath: FOREIGN_URI }]) {
    const params = { sourcePath, destinationPath, recursive: false, ...paths };
    assertEquals(await perform("fs/copy", params), FOREIGN);
  }
  const rest = ["d", "dangling", "dirlink", "empty", "f", "fifo", "g", "link", "loop"];
  assertEquals(await directory.names(), rest);
});
