import { assertEquals } from "@std/assert";
import { EarlyWriteback } from "../../src/filesystem/background_io.ts";
import { TestDirectory } from "../support/test_directory.ts";

const ignore = Deno.build.os !== "linux";

Deno.test({
  name: "what is being written out stays open no longer than that",
  ignore,
  fn: async () => {
    await using directory = await TestDirectory.create();
    await directory.fill({ f: "x".repeat(3 * 1024 * 1024) });
    {
      await using writeback = new EarlyWriteback(directory.at("f"));
      assertEquals(directory.openFiles(), []);
      writeback.begin();
      writeback.begin();
      assertEquals(directory.openFiles(), [directory.at("f")]);
    }
    assertEquals(directory.openFiles(), []);
  },
});

Deno.test({
  name: "a file that cannot be opened is written out later",
  ignore,
  fn: async () => {
    await using directory = await TestDirectory.create();
    await using writeback = new EarlyWriteback(directory.at("none"));
    writeback.begin();
    assertEquals(directory.openFiles(), []);
  },
});
