import { assertEquals, assertRejects } from "@std/assert";
import { open } from "node:fs/promises";
import { PlaceReader } from "../../src/filesystem/transfer.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

Deno.test("a file is read at any place by several at a time, whatever becomes of one", async () => {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/file`;
  Deno.writeTextFileSync(path, "abcdefghi");
  await using file = new PlaceReader(await open(path));
  const failed = file.read(-1, -1);
  const reads = [[0, 4], [4, 3], [1, 2], [8, 5], [50, 5]].map(([offset = 0, length = 0]) =>
    file.read(offset, length)
  );
  await assertRejects(() => failed);
  const read = (await Promise.all(reads)).map((part) => new TextDecoder().decode(part));
  assertEquals(read, ["abcd", "efg", "bc", "i", ""]);
});
