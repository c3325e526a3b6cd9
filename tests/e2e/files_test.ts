import { assertEquals, assertObjectMatch } from "@std/assert";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { base64 } from "./support/base64.ts";
import { testBoth, testWebSocket } from "./support/both_transports.ts";
import { TemporaryDirectory } from "./support/temporary_directory.ts";

testBoth("a file that is written reads the same, whole and in blocks", async ({ open }) => {
  using directory = new TemporaryDirectory();
  await using client = await open();
  const path = pathToFileURL(join(directory.path, "a file")).href;
  const content = crypto.getRandomValues(new Uint8Array(60_000));
  const dataBase64 = content.toBase64();
  assertEquals((await client.request("fs/writeFile", { path, dataBase64 })).result, {});
  assertEquals((await client.request("fs/readFile", { path })).result, { dataBase64 });
  await client.request("fs/open", { handleId: "h", path });
  const block = await client.request("fs/readBlock", {
    handleId: "h",
    offset: 50_000,
    len: 20_000,
  });
  assertEquals(block.result, { chunk: content.subarray(50_000).toBase64(), eof: true });
});

testBoth("a hundred files of 2 MiB asked for at once all arrive", async ({ open }) => {
  using directory = new TemporaryDirectory();
  await using client = await open();
  const content = "x".repeat(2 * 1024 * 1024);
  const path = pathToFileURL(directory.write("file", content, 0o644)).href;
  const expected = base64(content);
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => client.request("fs/readFile", { path })),
  );
  for (const { result } of answers) assertEquals(result, { dataBase64: expected });
});

testWebSocket("file handles end with their connection", async ({ open }) => {
  using directory = new TemporaryDirectory();
  const path = pathToFileURL(directory.write("file", "content", 0o644)).href;
  const first = await open();
  assertObjectMatch(await first.request("fs/open", { handleId: "h", path }), { result: {} });
  await first.close();
  await using second = await open();
  const read = await second.request("fs/readBlock", { handleId: "h", offset: 0, len: 1 });
  assertObjectMatch(read, { error: { code: -32004 } });
});
