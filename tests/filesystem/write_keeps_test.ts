import { assert, assertEquals } from "@std/assert";
import { base64, DONE, perform } from "./perform.ts";
import { isPossible, performInChild, withMountedFile } from "./perform_in_child.ts";
import { TestDirectory } from "../support/test_directory.ts";

async function write(directory: TestDirectory, name: string, text: string): Promise<void> {
  const params = { path: directory.uri(name), dataBase64: base64(text) };
  assertEquals(await perform("fs/writeFile", params), DONE);
  assertEquals(await directory.text(name), text);
}

Deno.test("a write keeps the mode", async () => {
  await using directory = await TestDirectory.create();
  await directory.fill({ "f": "old" });
  for (const mode of [0o755, 0o600, 0o666, 0o640]) {
    await Deno.chmod(directory.at("f"), mode);
    await write(directory, "f", `mode ${mode}`);
    assertEquals(((await Deno.stat(directory.at("f"))).mode ?? 0) & 0o7777, mode);
  }
});

Deno.test("a write does to special mode bits what the system does", async () => {
  await using directory = await TestDirectory.create();
  for (const name of ["f", "usual"]) {
    await directory.fill({ [name]: "old" });
    await Deno.chmod(directory.at(name), 0o6755);
  }
  await Deno.writeTextFile(directory.at("usual"), "new");
  await write(directory, "f", "new");
  assertEquals(
    (await Deno.stat(directory.at("f"))).mode,
    (await Deno.stat(directory.at("usual"))).mode,
  );
});

Deno.test("a write reaches all names of a file", async () => {
  await using directory = await TestDirectory.create();
  await directory.fill({ "f": "the old content" });
  await Deno.link(directory.at("f"), directory.at("hard"));
  for (const text of ["new", "longer than before it was", ""]) {
    await write(directory, "f", text);
    assertEquals(await directory.text("hard"), text);
  }
  assertEquals((await Deno.stat(directory.at("f"))).nlink, 2);
});

Deno.test("writes at the same time to a file with several names leave one of the contents", async () => {
  await using directory = await TestDirectory.create();
  await directory.fill({ "f": "old" });
  await Deno.link(directory.at("f"), directory.at("hard"));
  await directory.fill({ "source": "c".repeat(100_000) });
  const contents = [300_000, 200_000, 250_000].map((length, index) => `${index}`.repeat(length));
  for (let round = 0; round < 5; round++) {
    const writes = contents.map((text, index) => {
      const path = directory.uri(index % 2 === 0 ? "f" : "hard");
      return perform("fs/writeFile", { path, dataBase64: base64(text) });
    });
    const copying = perform("fs/copy", {
      sourcePath: directory.uri("source"),
      destinationPath: directory.uri("hard"),
      recursive: false,
    });
    for (const done of [...writes, copying]) assertEquals(await done, DONE);
    const content = await directory.text("f");
    assert([...contents, "c".repeat(100_000)].includes(content), `${content.length} bytes`);
  }
});

Deno.test({
  name: "a write keeps the owner",
  // Others cannot give files away.
  ignore: Deno.uid() !== 0,
  async fn() {
    await using directory = await TestDirectory.create();
    await directory.fill({ "f": "old" });
    await Deno.chown(directory.at("f"), 1234, 2345);
    await write(directory, "f", "new");
    const { uid, gid } = await Deno.stat(directory.at("f"));
    assertEquals([uid, gid], [1234, 2345]);
  },
});

Deno.test({
  name: "a file that is mounted by itself is written in place",
  // Needs a user namespace.
  ignore: !await isPossible(withMountedFile("/etc/passwd")),
  async fn() {
    await using directory = await TestDirectory.create();
    await directory.fill({ "f": "old" });
    const params = { path: directory.uri("f"), dataBase64: base64("new") };
    const { outcomes } = await performInChild(
      [["fs/writeFile", params]],
      withMountedFile(directory.at("f")),
    );
    assertEquals(outcomes, [DONE]);
    assertEquals(await directory.text("f"), "new");
    assertEquals(await directory.names(), ["f"]);
  },
});

Deno.test("a file that others hold open is replaced, not changed under their hands", async () => {
  await using directory = await TestDirectory.create();
  await directory.fill({ "f": "the old content" });
  using reader = await Deno.open(directory.at("f"));
  await write(directory, "f", "new");
  const buffer = new Uint8Array(100);
  const count = await reader.read(buffer);
  assertEquals(new TextDecoder().decode(buffer.subarray(0, count ?? 0)), "the old content");
});

Deno.test("a reader finds the old content or the new, whole", async () => {
  await using directory = await TestDirectory.create();
  const length = 300_000;
  await directory.fill({ "f": "a".repeat(length) });
  const writing = (async () => {
    for (const letter of "bcdefghijk") await write(directory, "f", letter.repeat(length));
    return "done";
  })();
  const pending = Promise.resolve("pending");
  while (await Promise.race([writing, pending]) === "pending") {
    const text = await directory.text("f");
    assertEquals(text, text.charAt(0).repeat(length));
  }
});

Deno.test("of two writes at once one has its way, whole", async () => {
  await using directory = await TestDirectory.create();
  const texts = ["a", "b", "c", "d"].map((letter) => letter.repeat(100_000));
  const outcomes = await Promise.all(
    texts.map((text) =>
      perform("fs/writeFile", { path: directory.uri("f"), dataBase64: base64(text) })
    ),
  );
  assertEquals(outcomes, [DONE, DONE, DONE, DONE]);
  assert(texts.includes(await directory.text("f")));
  assertEquals(await directory.names(), ["f"]);
});

const functions = {
  setxattr: { parameters: ["buffer", "buffer", "buffer", "usize", "i32"], result: "i32" },
  getxattr: { parameters: ["buffer", "buffer", "buffer", "usize"], result: "isize" },
} as const satisfies Deno.ForeignLibraryInterface;

/** An access control list that lets user 65534 write (struct posix_acl_xattr_header, acl(5)). */
const ACCESS_CONTROL_LIST = new Uint8Array([
  [2, 0, 0, 0],
  [1, 0, 6, 0, 255, 255, 255, 255],
  [2, 0, 6, 0, 254, 255, 0, 0],
  [4, 0, 4, 0, 255, 255, 255, 255],
  [16, 0, 6, 0, 255, 255, 255, 255],
  [32, 0, 0, 0, 255, 255, 255, 255],
].flat());

Deno.test({
  name: "a write keeps the access control list and extended attributes",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using directory = await TestDirectory.create();
    await directory.fill({ "f": "old" });
    const libc = Deno.dlopen("libc.so.6", functions);
    try {
      const text = (value: string) => new TextEncoder().encode(`${value}\0`);
      const path = text(directory.at("f"));
      const attributes = {
        "user.remex-test": new TextEncoder().encode("value"),
        "user.remex-empty": new Uint8Array(),
        "system.posix_acl_access": ACCESS_CONTROL_LIST,
      };
      for (const [name, value] of Object.entries(attributes)) {
        // Not every file system knows them; what cannot be set cannot be lost.
        libc.symbols.setxattr(path, text(name), value, BigInt(value.length), 0);
      }
      const present = () =>
        Object.keys(attributes).map((name) => {
          const buffer = new Uint8Array(100);
          const length = libc.symbols.getxattr(path, text(name), buffer, 100n);
          return length < 0n ? undefined : buffer.slice(0, Number(length));
        });
      const before = present();
      const inode = (await Deno.stat(directory.at("f"))).ino;
      await write(directory, "f", "new");
      assertEquals(present(), before);
      assert((await Deno.stat(directory.at("f"))).ino !== inode, "written in place");
    } finally {
      libc.close();
    }
  },
});
