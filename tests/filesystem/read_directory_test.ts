import { assertEquals } from "@std/assert";
import {
  FOREIGN,
  FOREIGN_URI,
  LINK_LOOP,
  LONG_NAME,
  NAME_TOO_LONG,
  NOT_A_DIRECTORY,
  NOT_FOUND,
  type Outcome,
  perform,
} from "./perform.ts";
import { methods } from "../../src/protocol/methods.ts";
import { TestDirectory } from "../support/test_directory.ts";

Deno.test("a directory lists what its entries lead to, dangling links left out", async () => {
  await using directory = await TestDirectory.create();
  await directory.fill({ "d/f": "x", "d/.hidden": "x", "d/sub/g": "x", "d/sp ace%é": "x" });
  await directory.makeFifo("d/fifo");
  await Deno.symlink("f", directory.at("d/link"));
  await Deno.symlink("sub", directory.at("d/dirlink"));
  await Deno.symlink("nowhere", directory.at("d/dangling"));
  await Deno.symlink("loop", directory.at("d/loop"));
  await Deno.symlink("d", directory.at("way"));
  const expected = [
    { fileName: ".hidden", isDirectory: false, isFile: true },
    { fileName: "dirlink", isDirectory: true, isFile: false },
    { fileName: "f", isDirectory: false, isFile: true },
    { fileName: "fifo", isDirectory: false, isFile: false },
    { fileName: "link", isDirectory: false, isFile: true },
    { fileName: "sp ace%é", isDirectory: false, isFile: true },
    { fileName: "sub", isDirectory: true, isFile: false },
  ];
  for (const name of ["d", "d/", "way"]) {
    const outcome = await perform("fs/readDirectory", { path: directory.uri(name) });
    assertEquals(sorted(outcome), { result: { entries: expected } });
  }
});

Deno.test("an empty directory lists nothing", async () => {
  await using directory = await TestDirectory.create();
  assertEquals(
    await perform("fs/readDirectory", { path: directory.uri("") }),
    { result: { entries: [] } },
  );
});

Deno.test("what is no directory is not listed", async () => {
  await using directory = await TestDirectory.create();
  await directory.fill({ "f": "x" });
  await Deno.symlink("nowhere", directory.at("dangling"));
  await Deno.symlink("loop", directory.at("loop"));
  const list = (name: string) => perform("fs/readDirectory", { path: directory.uri(name) });
  assertEquals(await list("f"), NOT_A_DIRECTORY);
  assertEquals(await list("f/x"), NOT_A_DIRECTORY);
  assertEquals(await list("missing"), NOT_FOUND);
  assertEquals(await list("dangling"), NOT_FOUND);
  assertEquals(await list("loop"), LINK_LOOP);
  assertEquals(await list(LONG_NAME), NAME_TOO_LONG);
  assertEquals(await perform("fs/readDirectory", { path: FOREIGN_URI }), FOREIGN);
});

/** The system's order is nobody's business. */
function sorted(outcome: Outcome): unknown {
  if (!("result" in outcome)) return outcome;
  const { entries } = methods["fs/readDirectory"].result.parse(outcome.result);
  return {
    result: { entries: entries.toSorted((a, b) => a.fileName < b.fileName ? -1 : 1) },
  };
}
