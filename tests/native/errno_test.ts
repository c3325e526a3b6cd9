import { assertEquals } from "@std/assert";
import { describeErrno } from "../../src/native/errno.ts";

Deno.test({
  name: "error numbers are put into the system's words",
  ignore: Deno.build.os !== "linux",
  fn() {
    assertEquals(describeErrno(13), "Permission denied (os error 13)");
    assertEquals(describeErrno(9999), "Unknown error 9999 (os error 9999)");
  },
});
