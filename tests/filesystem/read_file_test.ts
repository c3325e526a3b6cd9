import { assertEquals } from "@std/assert";
import { MAX_READ_FILE_BYTES } from "../../src/filesystem/operations.ts";
import {
  base64,
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

Deno.test("reading gives all bytes of a file, also through a link", async () => {
  await using directory = await TestDirectory.create();
  await directory.fill({ "f": "hello", "empty": "", "sp ace%é": "s" });
  await Deno.symlink("f", directory.at("link"));
  const read = (name: string) => perform("fs/readFile", { path: directory.uri(name) });
  assertEquals(await read("f"), { result: { dataBase64: base64("hello") } });
  assertEquals(await read("link"), { result: { dataBase64: base64("hello") } });
  assertEquals(await read("empty"), { result: { dataBase64: "" } });
  assertEquals(await read("sp ace%é"), { result: { dataBase64: base64("s") } });
  assertEquals(await read("f/"), { result: { dataBase64: base64("hello") } });
});

Deno.test("a file of any length comes back as it is", async () => {
  await using directory = await TestDirectory.create();
  const piece = 1536 * 1024;
  for (const size of [1, 2, 61_439, 61_440, 61_441, piece - 1, piece, piece + 1, 2 * piece + 5]) {
    const bytes = new Uint8Array(size);
    for (let index = 0; index < size; index++) bytes[index] = (index * 7) >> 3;
    await Deno.writeFile(directory.at("f"), bytes);
    assertEquals(
      await perform("fs/readFile", { path: directory.uri("f") }),
      { result: { dataBase64: bytes.toBase64() } },
    );
  }
});

Deno.test({
  name: "a file of /proc is read though it says its size is 0",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const expected = await Deno.readFile("/proc/version");
    assertEquals(
      await perform("fs/readFile", { path: "file:///proc/version" }),
      { result: { dataBase64: expected.toBase64() } },
    );
  },
});

Deno.test("what is no regular file is not read, nor waited for", async () => {
  await using directory = await TestDirectory.create();
  await directory.makeFifo("fifo");
  await Deno.mkdir(directory.at("d"));
  for (const path of [directory.at("d"), directory.at("fifo"), "/dev/null", "/"]) {
    assertEquals(
      await perform("fs/readFile", { path: `file://${path}` }),
      { code: -32600, message: `path \`${path}\` is not a file` },
    );
  }
});

Deno.test("what cannot be read is answered with the system's words", async () => {
  await using directory = await TestDirectory.create();
  await directory.fill({ "f": "x" });
  await Deno.symlink("nowhere", directory.at("dangling"));
  await Deno.symlink("loop", directory.at("loop"));
  const read = (name: string) => perform("fs/readFile", { path: directory.uri(name) });
  assertEquals(await read("missing"), NOT_FOUND);
  assertEquals(await read("dangling"), NOT_FOUND);
  assertEquals(await read("f/x"), NOT_A_DIRECTORY);
  assertEquals(await read("loop"), LINK_LOOP);
  assertEquals(await read("loop/x"), LINK_LOOP);
  assertEquals(await read(LONG_NAME), NAME_TOO_LONG);
  assertEquals(await read("y/".repeat(2100)), NAME_TOO_LONG);
  assertEquals(await perform("fs/readFile", { path: FOREIGN_URI }), FOREIGN);
});

Deno.test("a file past the limit is refused before it is read", async () => {
  await using directory = await TestDirectory.create();
  await directory.fill({ "f": "" });
  await Deno.truncate(directory.at("f"), MAX_READ_FILE_BYTES + 1);
  assertEquals(await perform("fs/readFile", { path: directory.uri("f") }), {
    code: -32600,
    message: "file is too large to read: limit is 268435456 bytes",
  });
});

Deno.test({
  name: "the kernel's refusal to read is answered like every other",
  ignore: Deno.build.os !== "linux",
  async fn() {
    assertEquals(await perform("fs/readFile", { path: "file:///proc/self/mem" }), {
      code: -32603,
      message: "Input/output error (os error 5)",
    });
  },
});
