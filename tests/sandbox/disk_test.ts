import { assertEquals, assertThrows } from "@std/assert";
import { hostDisk } from "../../src/sandbox/disk.ts";

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
