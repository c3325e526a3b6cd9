/**
 * Runs one command on an executor and ends with its exit code.
 *
 *     deno run --allow-net examples/run_command.ts ws://127.0.0.1:7777 uname -a
 */
import { ExecServerClient } from "@remex/remex";

const [url, ...argv] = Deno.args;
if (url === undefined || argv.length === 0) {
  throw new TypeError("usage: run_command.ts URL COMMAND [ARGUMENT]…");
}

await using client = await ExecServerClient.connect(url);
const command = await client.start({
  argv,
  cwd: await client.executorCwd() ?? "file:///",
  env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
});
for await (const event of command) {
  if (event.kind !== "output") continue;
  const stream = event.stream === "stderr" ? Deno.stderr : Deno.stdout;
  await stream.write(event.bytes);
}
Deno.exitCode = (await command.completion).exitCode;
