import { assertEquals } from "@std/assert";
import { closeDescriptor } from "../../src/os/descriptor.ts";
import { isKernelType, mountTable } from "../../src/os/mount_table.ts";
import { isOnKernelFileSystem, Open, openAt } from "../../src/os/open_at.ts";

Deno.test({
  name: "a file system is the kernel's by the name of its type and by its number alike",
  ignore: Deno.build.os !== "linux",
  fn() {
    // That of device nodes has the number of any other file system in memory.
    const mounts = mountTable("self").filter(({ type }) => type !== "devtmpfs");
    for (const { place, type } of mounts) {
      const object = tryOpen(place);
      if (object === undefined) continue;
      assertEquals(isOnKernelFileSystem(object), isKernelType(type), `${place} ${type}`);
      closeDescriptor(object);
    }
  },
});

/** Undefined if this user does not get there. */
function tryOpen(path: string): number | undefined {
  try {
    return openAt(-1, path, Open.PathOnly);
  } catch {
    return undefined;
  }
}
