import { assertEquals } from "@std/assert";
import { DeferredClose } from "../../src/filesystem/background_io.ts";
import { eventually } from "../support/patience.ts";
import { TestDirectory } from "../support/test_directory.ts";

const ignore = Deno.build.os !== "linux";

Deno.test({
  name: "a file is held past its removal until it is released",
  ignore,
  fn: async () => {
    await using directory = await TestDirectory.create();
    await directory.fill({ f: "x" });
    {
      using release = new DeferredClose();
      release.hold(directory.at("f"));
      await Deno.remove(directory.at("f"));
      assertEquals(directory.openFiles(), [`${directory.at("f")} (deleted)`]);
    }
    await eventually(() => directory.openFiles().length === 0, "the file to be closed");
  },
});

Deno.test({
  name: "what is not there cannot be held",
  ignore,
  fn: async () => {
    await using directory = await TestDirectory.create();
    using release = new DeferredClose();
    release.hold(directory.at("none"));
    assertEquals(directory.openFiles(), []);
  },
});
