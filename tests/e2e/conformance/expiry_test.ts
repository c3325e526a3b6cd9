import { assertEquals, assertObjectMatch } from "@std/assert";
import { type Connector, testWebSocket } from "../support/both_transports.ts";
import { run, shell, start } from "../support/commands.ts";
import { isAlive } from "../support/files.ts";
import { isRecord } from "../support/inbox.ts";
import { eventually } from "../../support/patience.ts";
import type { RawClient } from "../support/raw_client.ts";

/** Everything here happens after 30 seconds. */
const PATIENCE = { hangMs: 90_000, pollMs: 100 };

/** Both waits are long and idle, so they are done at once. */
testWebSocket("detached sessions and closed processes are forgotten", async (connector) => {
  await using survivor = await connector.open();
  await start(survivor, shell("p", "read line", { pipeStdin: true }));
  await Promise.all([sessionExpires(connector), processIsEvicted(connector)]);
  assertObjectMatch(await survivor.request("process/read", { processId: "p" }), {
    result: { exited: false },
  });
});

async function sessionExpires({ connect, open }: Connector): Promise<void> {
  await using client = await connect();
  const sessionId = await client.initialize();
  const pids = await pidsOf(client, "setsid sleep 1000 & echo $!; echo $$; wait");
  await client.close();

  for (const pid of pids) await eventually(() => !isAlive(pid), `the end of ${pid}`, PATIENCE);
  await using late = await connect();
  const params = { clientName: "late", resumeSessionId: sessionId };
  assertObjectMatch(await late.request("initialize", params), { error: { code: -32600 } });
  await using other = await open();
  assertObjectMatch(await other.request("environment/info"), { result: {} });
}

async function processIsEvicted({ open }: Connector): Promise<void> {
  await using client = await open();
  await run(client, shell("p", "echo hi; exit 3"));
  const read = () => client.request("process/read", { processId: "p" });
  assertObjectMatch(await read(), { result: { exitCode: 3, closed: true } });
  await eventually(async () => "error" in await read(), "eviction", PATIENCE);

  assertObjectMatch(await read(), { error: { code: -32600 } });
  const write = { processId: "p", chunk: "", writeId: "w" };
  assertEquals((await client.request("process/write", write)).result, {
    status: "unknownProcess",
  });
  const terminated = await client.request("process/terminate", { processId: "p" });
  assertEquals(terminated.result, { running: false });
  const signal = { processId: "p", signal: "interrupt" };
  assertEquals((await client.request("process/signal", signal)).result, {});
  assertEquals((await run(client, shell("p", "exit 4"))).exitCode, 4);
}

/** Starts a shell script that prints two process ids, and returns them. */
async function pidsOf(client: RawClient, script: string): Promise<string[]> {
  await start(client, shell("p", script));
  let said = "";
  while (said.split("\n").length < 3) {
    const { params } = await client.event("p");
    if (!isRecord(params)) continue;
    said += new TextDecoder().decode(Uint8Array.fromBase64(String(params.chunk)));
  }
  return said.trim().split("\n");
}
