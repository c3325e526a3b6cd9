import { assert, assertEquals, assertThrows } from "@std/assert";
import { hostDisk, RememberingDisk } from "../../src/sandbox/disk.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

Deno.test("a directory that is not there has nothing in it", () => {
  for (const path of ["/nonexistent", "/dev/null", "/dev/null/x"]) {
    assertEquals(hostDisk.list(path), []);
  }
});

Deno.test({
  name: "a directory that cannot be listed is not taken for an empty one",
  // The system's limits on paths differ.
  ignore: Deno.build.os !== "linux",
  fn: () => {
    assertThrows(() => hostDisk.list(`/${"x".repeat(300)}`), Error, "File name too long");
  },
});

const CHANGES: Readonly<Record<string, (path: string) => void>> = {
  "a name is made": (path) => Deno.writeTextFileSync(`${path}/missing`, ""),
  "a name is taken away": (path) => Deno.removeSync(`${path}/file`),
  "a directory becomes a link": (path) => {
    Deno.removeSync(`${path}/directory`);
    Deno.symlinkSync("/", `${path}/directory`);
  },
  "a link leads elsewhere": (path) => {
    Deno.removeSync(`${path}/link`);
    Deno.symlinkSync("other", `${path}/link`);
  },
  "a file says something else": (path) => Deno.writeTextFileSync(`${path}/file`, "other content"),
};

Deno.test({
  name: "a disk that was remembered says the same until something changes that it was asked about",
  ignore: Deno.build.os === "windows",
  fn: () => {
    for (const [what, change] of Object.entries(CHANGES)) {
      using directory = new TemporaryDirectory();
      const { path } = directory;
      Deno.writeTextFileSync(`${path}/file`, "content");
      Deno.mkdirSync(`${path}/directory`);
      Deno.symlinkSync("file", `${path}/link`);
      const disk = new RememberingDisk(hostDisk);
      for (const name of ["file", "directory", "link", "missing"]) disk.kindOf(`${path}/${name}`);
      disk.readLink(`${path}/link`);
      disk.readStart(`${path}/file`);
      assert(disk.wouldSayTheSame(), what);
      Deno.writeTextFileSync(`${path}/unasked`, "");
      assert(disk.wouldSayTheSame(), what);
      change(path);
      assertEquals(disk.wouldSayTheSame(), false, what);
    }
  },
});

Deno.test({
  name: "what takes long to ask is not asked again, unless its version tells",
  ignore: Deno.build.os === "windows",
  fn: () => {
    using directory = new TemporaryDirectory();
    const path = `${directory.path}/file`;
    Deno.writeTextFileSync(path, "content");
    const versioned = new RememberingDisk(hostDisk);
    versioned.versionOf(path);
    versioned.readWhole(path, 100);
    assert(versioned.wouldSayTheSame());
    const unversioned = new RememberingDisk(hostDisk);
    unversioned.readWhole(path, 100);
    assertEquals(unversioned.wouldSayTheSame(), false);
    const listed = new RememberingDisk(hostDisk);
    listed.list(directory.path);
    assertEquals(listed.wouldSayTheSame(), false);
    Deno.writeTextFileSync(path, "another content");
    assertEquals(versioned.wouldSayTheSame(), false);
  },
});

Deno.test("what would be too much to remember is not asked again", () => {
  const said = "x".repeat(8192);
  const disk = new RememberingDisk({ ...hostDisk, readStart: () => said });
  for (let number = 0; number < 4; number++) disk.readStart(`/${number}`);
  assert(disk.isRepeatable && disk.wouldSayTheSame());
  for (let number = 4; number < 8; number++) disk.readStart(`/${number}`);
  assertEquals([disk.isRepeatable, disk.wouldSayTheSame()], [false, false]);
});
