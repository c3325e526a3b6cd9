import { assertRejects } from "@std/assert";
import { MountError, verifyMounts } from "../../../src/sandbox/bubblewrap/verify_mounts.ts";
import { settled } from "../../support/patience.ts";
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
      () => verifyMounts(Deno.pid, expected, Promise.resolve()),
      MountError,
      "has become something else meanwhile",
    );
  },
});

/** A process that can mount nothing, with the machine's own mounts. */
function powerless(): Deno.ChildProcess {
  const drop = Deno.uid() === 0 ? ["/usr/bin/setpriv", "--reuid=65534", "--clear-groups"] : [];
  const [program = "", ...args] = [...drop, "/bin/sleep", "60"];
  return new Deno.Command(program, { args }).spawn();
}

Deno.test({
  name: "a wrapper that never tells that all is mounted is looked at all the same",
  ignore: Deno.build.os !== "linux",
  // The C library and what waits for descriptors stay open.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await using wrapper = powerless();
    const expected = {
      granted: ["/"],
      bound: [],
      covered: [],
      own: [],
      sealDevices: undefined,
      laterMounts: undefined,
    };
    const looked = verifyMounts(wrapper.pid, expected, new Promise(() => {}));
    await assertRejects(() => settled(looked, "a look"), MountError, "could be written in it");
  },
});
