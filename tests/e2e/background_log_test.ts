import { assertEquals } from "@std/assert";
import { LoggingExecutor } from "../support/logging_executor.ts";
import { run, shell } from "./support/commands.ts";
import { MarkedProcesses } from "../support/marked_processes.ts";
import { connectWebSocket } from "./support/websocket_client.ts";

Deno.test("what commands left in the background is killed, and the log says so", async () => {
  await using marked = new MarkedProcesses();
  await using executor = await LoggingExecutor.start({});
  const client = await connectWebSocket(executor.url);
  await client.initialize();
  const deaf = `trap "" TERM; sleep ${marked.duration}`;
  for (const id of ["p", "q"]) {
    await run(client, shell(id, `setsid sh -c '${deaf}; ${deaf}' > /dev/null 2>&1 & exit 0`));
  }
  await marked.reach(4);
  assertEquals(await executor.end(), 0);
  await client.ended;
  await marked.reach(0);
  const lines = executor.logged("killed what commands had left in the background");
  assertEquals(lines.map(({ level, processes }) => [level, processes]), [["info", 2]]);
});
