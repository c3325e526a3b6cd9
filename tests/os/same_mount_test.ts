import { assertEquals, assertThrows } from "@std/assert";
import { closeDescriptor } from "../../src/os/descriptor.ts";
import { SystemError } from "../../src/os/errno.ts";
import { knownStatusOf } from "../../src/os/file_status.ts";
import { Open, openAt, SameMount } from "../../src/os/open_at.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

Deno.test({
  name: "links are followed as far as they stay on one mount, absolute ones too",
  ignore: Deno.build.os !== "linux",
  fn: () => {
    using directory = new TemporaryDirectory();
    const { path } = directory;
    directory.write("file", "");
    Deno.symlinkSync("file", `${path}/relative`);
    Deno.symlinkSync(`${path}/file`, `${path}/absolute`);
    Deno.symlinkSync(`${path}/absolute`, `${path}/twice`);
    Deno.symlinkSync("/proc/self/status", `${path}/elsewhere`);
    Deno.symlinkSync(`${path}/nothing`, `${path}/dangling`);
    const held = openAt(-1, path, Open.Directory);
    const root = openAt(-1, "/", Open.PathOnly);
    const onRootMount = knownStatusOf(held).mount === knownStatusOf(root).mount;
    closeDescriptor(root);
    using mount = new SameMount(held);
    const inode = (name: string) => {
      const found = mount.hold(name);
      try {
        return knownStatusOf(found).inode;
      } finally {
        closeDescriptor(found);
      }
    };
    const file = inode("file");
    assertEquals(inode("relative"), file);
    // An absolute link leaves the mount of a directory that is not on the root directory's.
    const names = ["absolute", "twice"];
    if (onRootMount) assertEquals(names.map(inode), [file, file]);
    else for (const name of names) assertThrows(() => inode(name), SystemError, "cross-device");
    for (const name of ["elsewhere", "dangling"]) assertThrows(() => inode(name), SystemError);
    closeDescriptor(held);
  },
});
