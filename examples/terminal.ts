/**
 * Talks to a shell on a terminal of the executor: sets its size, types two lines, prints what the
 * screen shows.
 *
 *     deno run --allow-net examples/terminal.ts ws://127.0.0.1:7777
 */
import { ExecServerClient } from "@remex/remex";

const [url] = Deno.args;
if (url === undefined) throw new TypeError("usage: terminal.ts URL");

await using client = await ExecServerClient.connect(url);
const shell = await client.start({
  argv: ["/bin/sh"],
  cwd: "file:///",
  env: { PATH: "/usr/bin:/bin", PS1: "", TERM: "dumb" },
  tty: true,
});
await shell.resize({ rows: 40, cols: 120 });
await shell.write(new TextEncoder().encode("stty size\nexit 3\n"));

const screen = new TextDecoder();
for await (const event of shell) {
  if (event.kind === "output") {
    console.info(screen.decode(event.bytes, { stream: true }).trimEnd());
  }
}
console.info(`the shell ended with ${(await shell.completion).exitCode}`);
