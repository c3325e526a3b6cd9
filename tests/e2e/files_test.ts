import { assertEquals, assertObjectMatch } from "@std/assert";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { base64 } from "./support/base64.ts";
import { testBoth, testWebSocket } from "./support/both_transports.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

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

testBoth("forty files of 2 MiB asked for at once all arrive", async ({ open }) => {
  using directory = new TemporaryDirectory();
  await using client = await open();
  const content = "x".repeat(2 * 1024 * 1024);
  const path = pathToFileURL(directory.write("file", content, 0o644)).href;
  const expected = base64(content);
  const answers = await Promise.all(
    Array.from({ length: 40 }, () => client.request("fs/readFile", { path })),
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

testWebSocket("a request is answered the same however often it is made", async ({ open }) => {
  if (Deno.build.os === "windows") return;
  using directory = new TemporaryDirectory();
  directory.write("directory/file", "content", 0o640);
  directory.write("empty", "", 0o644);
  directory.write("large", "x".repeat(200_000), 0o644);
  directory.write("shared", "content", 0o644);
  Deno.linkSync(join(directory.path, "shared"), join(directory.path, "shared too"));
  Deno.symlinkSync("directory", join(directory.path, "link"));
  Deno.symlinkSync("nowhere", join(directory.path, "dangling"));
  new Deno.Command("mkfifo", { args: [join(directory.path, "fifo")] }).outputSync();
  await using client = await open();
  const names = ["directory", "empty", "large", "shared", "link", "dangling", "fifo", "missing"];
  for (const path of ["", ...names, "directory/file", "link/file", "empty/x"]) {
    const uri = pathToFileURL(join(directory.path, path)).href;
    for (const method of ["fs/getMetadata", "fs/readFile", "fs/readDirectory"]) {
      const answer = async () => {
        const { result, error } = await client.request(method, { path: uri });
        return { result, error };
      };
      const first = await answer();
      for (let time = 0; time < 3; time++) {
        assertEquals(await answer(), first, `${method} ${path}`);
      }
    }
  }
});

testWebSocket("a small file that is replaced keeps all but its content", async ({ open }) => {
  if (Deno.build.os === "windows") return;
  using directory = new TemporaryDirectory();
  await using client = await open();
  const write = async (name: string, content: string) => {
    const path = pathToFileURL(join(directory.path, name)).href;
    const answer = await client.request("fs/writeFile", { path, dataBase64: base64(content) });
    assertObjectMatch(answer, { result: {} });
    assertEquals(Deno.readTextFileSync(join(directory.path, name)), content);
  };
  directory.write("private", "old", 0o600);
  directory.write("program", "old", 0o755);
  directory.write("shared", "old", 0o644);
  Deno.linkSync(join(directory.path, "shared"), join(directory.path, "shared too"));
  Deno.symlinkSync("program", join(directory.path, "link"));
  for (const content of ["first", "second", "", "third and longer", "x".repeat(100_000), "last"]) {
    for (const name of ["private", "program", "shared", "link", "new"]) await write(name, content);
    assertEquals(Deno.readTextFileSync(join(directory.path, "shared too")), content);
    assertEquals(Deno.readTextFileSync(join(directory.path, "program")), content);
  }
  const mode = (name: string) => (Deno.lstatSync(join(directory.path, name)).mode ?? 0) & 0o7777;
  assertEquals([mode("private"), mode("program")], [0o600, 0o755]);
  assertEquals(Deno.lstatSync(join(directory.path, "link")).isSymlink, true);
  assertEquals(
    Array.from(Deno.readDirSync(directory.path), ({ name }) => name).sort(),
    ["link", "new", "private", "program", "shared", "shared too"],
  );
});
