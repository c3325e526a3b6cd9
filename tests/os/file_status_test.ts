import { assertEquals } from "@std/assert";
import { constants } from "node:os";
import { fileIdentityAt, fileModeAt } from "../../src/os/file_status.ts";

Deno.test({
  name: "the type of a file is told, and why it cannot be told",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const directory = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${directory}/file`, "");
      await Deno.symlink("nowhere", `${directory}/link`);
      const type = (name: string) => {
        const found = fileModeAt(`${directory}/${name}`);
        return found.kind === "found" ? (found.mode & 0o170000).toString(8) : -found.errno;
      };
      assertEquals(type(""), "40000");
      assertEquals(type("file"), "100000");
      assertEquals(type("link"), "120000");
      assertEquals(type("none"), -constants.errno.ENOENT);
      assertEquals(type("file/below"), -constants.errno.ENOTDIR);
      assertEquals(type("n".repeat(300)), -constants.errno.ENAMETOOLONG);
      assertEquals(fileModeAt("/dev/null").kind, "found");
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

Deno.test({
  name: "a file is told from the one that takes its place",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const directory = await Deno.makeTempDir();
    try {
      const [path, moved] = [`${directory}/file`, `${directory}/moved`];
      await Deno.writeTextFile(path, "");
      const first = fileIdentityAt(path);
      assertEquals(typeof first, "string");
      await Deno.rename(path, moved);
      assertEquals([fileIdentityAt(path), fileIdentityAt(moved)], [undefined, first]);
      await Deno.symlink(moved, path);
      assertEquals(fileIdentityAt(path) === first, false);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});
