import { assertRejects } from "@std/assert";
import { MountError, verifyMounts } from "../../../src/sandbox/bubblewrap/verify_mounts.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

Deno.test({
  name: "a link in the place of what is bound is not taken for it, though it is the same inside",
  ignore: Deno.build.os !== "linux",
  // The C library stays open.
  sanitizeResources: false,
  fn: async () => {
    using directory = new TemporaryDirectory();
    const path = `${directory.path}/bound`;
    Deno.symlinkSync("/", path);
    const expected = {
      granted: ["/", path],
      bound: [path],
      covered: [],
      own: [],
      sealDevices: undefined,
      laterMounts: undefined,
    };
    await assertRejects(
      () => verifyMounts(Deno.pid, expected),
      MountError,
      "has become something else meanwhile",
    );
  },
});
