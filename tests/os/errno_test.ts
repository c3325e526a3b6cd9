import { assertEquals } from "@std/assert";
import { closeDescriptor } from "../../src/os/descriptor.ts";
import { describeErrno, lastErrno } from "../../src/os/errno.ts";

Deno.test({
  name: "error numbers are put into the system's words",
  ignore: Deno.build.os !== "linux",
  fn() {
    assertEquals(describeErrno(13), "Permission denied (os error 13)");
    assertEquals(describeErrno(9999), "Unknown error 9999 (os error 9999)");
  },
});

Deno.test({
  name: "the number of the last error is that of the call before",
  ignore: Deno.build.os !== "linux",
  fn() {
    closeDescriptor(-1);
    assertEquals(describeErrno(lastErrno()), "Bad file descriptor (os error 9)");
  },
});
