import { assert, assertEquals, assertRejects } from "@std/assert";
import { performFileMethod } from "../../src/filesystem/operations.ts";
import { eventually } from "../support/patience.ts";
import { methods } from "../../src/protocol/methods.ts";
import {
  base64,
  DONE,
  FOREIGN,
  FOREIGN_URI,
  IS_A_DIRECTORY,
  LINK_LOOP,
  LONG_NAME,
  NAME_TOO_LONG,
  NOT_A_DIRECTORY,
  NOT_FOUND,
  perform,
} from "./perform.ts";
import { performInChild } from "./perform_in_child.ts";
import { TestDirectory } from "../support/test_directory.ts";

function writer(directory: TestDirectory) {
  return (name: string, text: string) =>
    perform("fs/writeFile", { path: directory.uri(name), dataBase64: base64(text) });
}

Deno.test("a file holds what was written last, and nothing is left beside it", async () => {
  await using directory = await TestDirectory.create();
  const write = writer(directory);
  for (const text of ["first", "a longer second", "", "x"]) {
    assertEquals(await write("f", text), DONE);
    assertEquals(await directory.text("f"), text);
  }
  assertEquals(await directory.names(), ["f"]);
});

Deno.test({
  name: "large files that replace each other are whole, and none stays open",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using directory = await TestDirectory.create();
    for (const [letter, mib] of [["a", 5], ["b", 3], ["c", 4]] as const) {
      const text = letter.repeat(mib * 1024 * 1024 + 1);
      assertEquals(await writer(directory)("f", text), DONE);
      assert(await directory.text("f") === text);
    }
    assertEquals(await directory.names(), ["f"]);
    await eventually(() => directory.openFiles().length === 0, "the files to be closed");
  },
});

Deno.test("a new file has the mode that the umask leaves", async () => {
  await using directory = await TestDirectory.create();
  await Deno.writeTextFile(directory.at("usual"), "x");
  assertEquals(await writer(directory)("new", "x"), DONE);
  assertEquals(
    (await Deno.stat(directory.at("new"))).mode,
    (await Deno.stat(directory.at("usual"))).mode,
  );
});

Deno.test("a write through links reaches what they lead to", async () => {
  await using directory = await TestDirectory.create();
  const write = writer(directory);
  await directory.fill({ "f": "old", "elsewhere/d/x": "" });
  await Deno.symlink("f", directory.at("link"));
  await Deno.symlink("elsewhere/d", directory.at("way"));
  // `..` of the directory that the link leads to, not of the one the link is in.
  await Deno.symlink("way/../made", directory.at("dangling"));
  await Deno.symlink(directory.at("dangling"), directory.at("chain"));
  assertEquals(await write("link", "new"), DONE);
  assertEquals(await directory.text("f"), "new");
  assertEquals(await write("way/y", "new"), DONE);
  assertEquals(await directory.names("elsewhere/d"), ["x", "y"]);
  assertEquals(await write("chain", "through"), DONE);
  assertEquals(await directory.text("elsewhere/made"), "through");
  assertEquals(await directory.names(), ["chain", "dangling", "elsewhere", "f", "link", "way"]);
  assertEquals(await Deno.readLink(directory.at("link")), "f");
});

/** What a program reads from a file, in whose opening this program must not take part. */
async function readByCat(path: string): Promise<string> {
  const { stdout } = await new Deno.Command("cat", { args: [path] }).output();
  return new TextDecoder().decode(stdout);
}

Deno.test("a FIFO gets the bytes, however many, as soon as somebody reads them", async () => {
  await using directory = await TestDirectory.create();
  await directory.makeFifo("fifo");
  const text = "0123456789".repeat(30_000);
  const written = writer(directory)("fifo", text);
  assertEquals(await readByCat(directory.at("fifo")), text);
  assertEquals(await written, DONE);
  const reading = readByCat(directory.at("fifo"));
  assertEquals(await writer(directory)("fifo", "again"), DONE);
  assertEquals(await reading, "again");
  assertEquals((await Deno.stat(directory.at("fifo"))).isFifo, true);
});

Deno.test("a FIFO that nobody reads is waited for only as long as somebody waits", async () => {
  await using directory = await TestDirectory.create();
  await directory.makeFifo("fifo");
  const params = methods["fs/writeFile"].params.parse({
    path: directory.uri("fifo"),
    dataBase64: base64("x"),
  });
  const gone = new AbortController();
  const written = performFileMethod("fs/writeFile", params, gone.signal);
  gone.abort(new Error("nobody waits"));
  await assertRejects(() => written, Error, "nobody waits");
});

Deno.test("devices get the bytes", async () => {
  const write = (path: string) =>
    perform("fs/writeFile", { path: `file://${path}`, dataBase64: base64("x") });
  assertEquals(await write("/dev/null"), DONE);
  assertEquals((await Deno.stat("/dev/null")).isCharDevice, true);
  if (Deno.build.os !== "linux") return;
  assertEquals(await write("/dev/full"), {
    code: -32603,
    message: "No space left on device (os error 28)",
  });
});

Deno.test("standard output gets the bytes", async () => {
  const params = { path: "file:///dev/stdout", dataBase64: base64("hello") };
  const { outcomes, printed } = await performInChild([["fs/writeFile", params]]);
  assertEquals(outcomes, [DONE]);
  assertEquals(printed, "hello");
});

Deno.test("where no file can be, none is written", async () => {
  await using directory = await TestDirectory.create();
  const write = (name: string) => writer(directory)(name, "x");
  await directory.fill({ "f": "old", "d/f": "" });
  await Deno.symlink("d", directory.at("link"));
  await Deno.symlink("loop", directory.at("loop"));
  await Deno.symlink("missing/x", directory.at("dangling"));
  using _listening = Deno.listen({ transport: "unix", path: directory.at("socket") });
  assertEquals(await write("socket"), {
    code: -32603,
    message: "No such device or address (os error 6)",
  });
  assertEquals(await write("d"), IS_A_DIRECTORY);
  assertEquals(await write("d/"), IS_A_DIRECTORY);
  assertEquals(await write("link"), IS_A_DIRECTORY);
  assertEquals(await write("missing/x"), NOT_FOUND);
  assertEquals(await write("dangling"), NOT_FOUND);
  assertEquals(await write("f/x"), NOT_A_DIRECTORY);
  assertEquals(await write("loop"), LINK_LOOP);
  assertEquals(await write(LONG_NAME), NAME_TOO_LONG);
  assertEquals(await write("y/".repeat(2100)), NAME_TOO_LONG);
  const dataBase64 = base64("x");
  assertEquals(await perform("fs/writeFile", { path: "file:///", dataBase64 }), IS_A_DIRECTORY);
  assertEquals(await perform("fs/writeFile", { path: FOREIGN_URI, dataBase64 }), FOREIGN);
  assertEquals(await directory.names(), ["d", "dangling", "f", "link", "loop", "socket"]);
  assertEquals(await directory.text("f"), "old");
});

Deno.test("a program that runs is not written to", async () => {
  await using directory = await TestDirectory.create();
  await Deno.copyFile("/bin/sleep", directory.at("program"));
  const before = await Deno.stat(directory.at("program"));
  await using running = new Deno.Command(directory.at("program"), { args: ["600"] }).spawn();
  const outcome = await writer(directory)("program", "x");
  running.kill("SIGKILL");
  assertEquals(outcome, { code: -32603, message: "Text file busy (os error 26)" });
  assertEquals((await Deno.stat(directory.at("program"))).size, before.size);
});

Deno.test("what is no base64 changes nothing", async () => {
  await using directory = await TestDirectory.create();
  await directory.fill({ "f": "old", "twice": "old" });
  await Deno.link(directory.at("twice"), directory.at("other name"));
  const before = await directory.names();
  // Wrong at the beginning, and where much has been decoded already.
  const wrong = ["!!!", "aGk", "aGk=\n", "aGl=", "a Gk=", `${"QUJD".repeat(1_000_000)}!`];
  const paths = ["f", "twice", "new", "no directory/new"].map((name) => directory.uri(name));
  for (const dataBase64 of wrong) {
    for (const path of [...paths, FOREIGN_URI]) {
      assertEquals(await perform("fs/writeFile", { path, dataBase64 }), {
        code: -32600,
        message: "`dataBase64` is not standard base64 with padding",
      });
    }
  }
  assertEquals(await directory.names(), before);
  for (const name of ["f", "twice", "other name"]) assertEquals(await directory.text(name), "old");
});

Deno.test("a name so long that no other fits beside it is written all the same", async () => {
  await using directory = await TestDirectory.create();
  const write = writer(directory);
  // PATH_MAX counts the NUL at the end (limits.h).
  const room = 4095 - directory.path.length - 1;
  const parents = "p".repeat(99).concat("/").repeat(Math.floor((room - 2) / 100));
  await Deno.mkdir(directory.at(parents), { recursive: true });
  const name = parents + "n".repeat(room - parents.length);
  for (const text of ["first", "second one", "third"]) {
    assertEquals(await write(name, text), DONE);
    assertEquals(await directory.text(name), text);
  }
  assertEquals(await directory.names(parents), [name.slice(parents.length)]);
});
