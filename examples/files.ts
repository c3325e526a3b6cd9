/**
 * Writes a file on the executor's machine, lists its directory, reads it back and removes it again.
 *
 *     deno run --allow-net examples/files.ts ws://127.0.0.1:7777
 */
import { ExecServerClient } from "@remex/remex";

const [url] = Deno.args;
if (url === undefined) throw new TypeError("usage: files.ts URL");

await using client = await ExecServerClient.connect(url);
const { tempDir } = await client.environmentInfo();
const directory = `${tempDir}/example-${crypto.randomUUID()}`;
const path = `${directory}/greeting.txt`;

await client.call("fs/createDirectory", { path: directory });
const dataBase64 = new TextEncoder().encode("hello from afar\n").toBase64();
await client.call("fs/writeFile", { path, dataBase64 });

const { entries } = await client.call("fs/readDirectory", { path: directory });
console.info(entries.map(({ fileName }) => fileName).join(" "));
const read = await client.call("fs/readFile", { path });
console.info(new TextDecoder().decode(read.dataBase64).trimEnd());

await client.call("fs/remove", { path: directory });
