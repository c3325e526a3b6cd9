import { assertEquals, assertObjectMatch } from "@std/assert";
import { command, run, shell, start, waitForOutput } from "./support/commands.ts";
import { ListeningExecutor } from "./support/executor.ts";
import { MarkedProcesses } from "../support/marked_processes.ts";
import { eventually } from "../support/patience.ts";
import { connectWebSocket } from "./support/websocket_client.ts";

/** How an entrypoint becomes an executor after it has started helpers. */
const entrypoint = (helpers: string) => ["/bin/sh", "-c", `${helpers}; exec "$@"`, "sh"];

Deno.test("helpers that an executor's entrypoint started are none of its business", async () => {
  await using marked = new MarkedProcesses();
  const lasting = `sleep ${marked.duration}`;
  // One that lasts, one that ends by itself, and one that leaves another behind later.
  const helpers = `${lasting} & sleep 0.2 & sh -c 'sleep 0.3; setsid ${lasting} & exit' &`;
  await using executor = await ListeningExecutor.start({ launcher: entrypoint(`${helpers} true`) });
  await marked.reach(2);
  const client = await connectWebSocket(executor.url);
  await client.initialize();
  await run(client, shell("p", `sleep ${marked.duration} > /dev/null 2>&1 & exit 0`));
  await start(client, command("q", ["sleep", marked.duration]));
  await marked.reach(4);
  assertObjectMatch(await client.request("process/terminate", { processId: "q" }), {
    result: { running: true },
  });
  await marked.reach(3);
  await executor.endBy("SIGTERM");
  await client.ended;
  await marked.reach(2);
});

Deno.test("helpers outlive a killed executor, commands do not", async () => {
  await using marked = new MarkedProcesses();
  const helpers = `sleep ${marked.duration} &`;
  await using executor = await ListeningExecutor.start({ launcher: entrypoint(`${helpers} true`) });
  const client = await connectWebSocket(executor.url);
  await client.initialize();
  await run(client, shell("p", `setsid -f sleep ${marked.duration} > /dev/null 2>&1`));
  await marked.reach(2);
  await executor.endBy("SIGKILL");
  await client.ended;
  await marked.reach(1);
});

/**
 * A process that starts its successor in a session of its own and ends, again and again. On a busy machine
 * it must not take all process numbers, so the last of thousands stays.
 */
const HOP = `
import os, sys, time
if os.fork(): os._exit(0)
for _ in range(8000):
    os.setsid()
    if os.fork(): os._exit(0)
time.sleep(1000)
`;

/** Processes each of which starts two others, so many of them, and stays. */
const BOMB = `
bomb() {
  [ "$1" -eq 0 ] || { setsid sh -c "$SELF" sh $(($1 - 1)) & setsid sh -c "$SELF" sh $(($1 - 1)) & }
  exec sleep $D
}
bomb "$1"
`;

Deno.test("terminate ends a command that keeps running away", async () => {
  await using marked = new MarkedProcesses();
  await using executor = await ListeningExecutor.start();
  await using client = await connectWebSocket(executor.url);
  await client.initialize();
  await start(client, command("other", ["sleep", marked.duration]));
  // Their output is where the command's is, which shows whose they are.
  const hop =
    `/usr/bin/python3 -c '${HOP}' ${marked.duration} & echo up; wait; exec sleep ${marked.duration}`;
  await start(client, shell("hop", hop));
  await waitForOutput(client, "hop", "up");
  await eventually(() => marked.find().length >= 2, "the hopping one");
  await client.request("process/terminate", { processId: "hop" });
  await marked.reach(1);

  const env = { PATH: "/usr/bin:/bin", SELF: BOMB, D: marked.duration };
  const bomb = `(setsid sh -c "$SELF" sh 5 &); sleep $D`;
  await start(client, shell("bomb", bomb, { env }));
  await eventually(() => marked.find().length > 20, "some of the bomb");
  await client.request("process/terminate", { processId: "bomb" });
  await marked.reach(1);
  assertEquals((await client.request("process/terminate", { processId: "other" })).result, {
    running: true,
  });
});
