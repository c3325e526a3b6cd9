import { assert, assertEquals, assertObjectMatch } from "@std/assert";
import { enclosedIn } from "./sandbox/support/sandboxed.ts";
import { testWebSocket } from "./support/both_transports.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const GIB = 1024 * 1024 * 1024;
/** So a file's blocks are counted (stat(2)). */
const BLOCK_BYTES = 512;

for (const sandboxed of [false, true]) {
  const where = sandboxed ? ", in a sandbox" : "";

  testWebSocket(`a copy of a sparse file is as sparse${where}`, async ({ open }) => {
    if (Deno.build.os !== "linux") return;
    using directory = new TemporaryDirectory();
    const [source, copy] = [`${directory.path}/sparse`, `${directory.path}/copy`];
    {
      using file = Deno.openSync(source, {
        write: true,
        createNew: true,
      });
      file.seekSync(GIB, Deno.SeekMode.Start);
      file.writeSync(new TextEncoder().encode("in the middle"));
      file.truncateSync(3 * GIB);
    }
    await using client = await open();
    const uris = { sourcePath: `file://${source}`, destinationPath: `file://${copy}` };
    const sandbox = sandboxed ? { sandbox: enclosedIn(directory.path).sandbox } : {};
    for (const time of ["first", "over another"]) {
      const answer = await client.request("fs/copy", { ...uris, recursive: false, ...sandbox });
      assertObjectMatch(answer, { result: {} });
      const { size, blocks } = Deno.statSync(copy);
      assertEquals(size, 3 * GIB, time);
      assert((blocks ?? Infinity) * BLOCK_BYTES < 1024 * 1024, `${blocks} blocks, ${time}`);
    }
    using file = Deno.openSync(copy);
    file.seekSync(GIB, Deno.SeekMode.Start);
    const found = new Uint8Array(13);
    file.readSync(found);
    assertEquals(new TextDecoder().decode(found), "in the middle");
  });

  testWebSocket(`a copied directory has the modes of its source${where}`, async ({ open }) => {
    if (Deno.build.os === "windows" || (sandboxed && Deno.build.os !== "linux")) return;
    using directory = new TemporaryDirectory();
    const mode = (path: string) => (Deno.statSync(`${directory.path}/${path}`).mode ?? 0) & 0o7777;
    directory.write("tree/closed/inner/file", "text", 0o640);
    const modes: Record<string, number> = {
      "tree/closed/inner/file": 0o640,
      "tree/closed/inner": 0o500,
      "tree/closed": 0o700,
      "tree": 0o2775,
    };
    for (const [path, bits] of Object.entries(modes)) {
      Deno.chmodSync(`${directory.path}/${path}`, bits);
    }
    await using client = await open();
    const [sourcePath, copy] = [`file://${directory.path}/tree`, `file://${directory.path}/copy`];
    const sandbox = sandboxed ? { sandbox: enclosedIn(directory.path).sandbox } : {};
    const copying = { sourcePath, destinationPath: copy, recursive: true, ...sandbox };
    assertObjectMatch(await client.request("fs/copy", copying), { result: {} });
    for (const [path, bits] of Object.entries(modes)) {
      assertEquals(mode(path.replace("tree", "copy")).toString(8), bits.toString(8), path);
    }
    // One that is there keeps its own.
    Deno.mkdirSync(`${directory.path}/merged`);
    Deno.chmodSync(`${directory.path}/merged`, 0o711);
    const merging = { ...copying, destinationPath: `file://${directory.path}/merged` };
    assertObjectMatch(await client.request("fs/copy", merging), { result: {} });
    assertEquals(mode("merged"), 0o711);
    assertEquals(mode("merged/closed"), 0o700);
    for (const tree of ["tree", "copy", "merged"]) {
      Deno.chmodSync(`${directory.path}/${tree}/closed/inner`, 0o700);
    }
  });
}
