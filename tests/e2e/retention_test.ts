import { assertEquals, assertObjectMatch } from "@std/assert";
import { shell, start } from "./support/commands.ts";
import { ListeningExecutor } from "./support/executor.ts";
import { isRecord } from "./support/inbox.ts";
import { eventually } from "../support/patience.ts";
import type { RawClient } from "./support/raw_client.ts";
import { connectWebSocket } from "./support/websocket_client.ts";

const MIB = 1024 * 1024;

interface Retained {
  readonly bytes: number;
  readonly firstSeq: unknown;
  readonly closed: unknown;
}

async function retained(client: RawClient, processId: string): Promise<Retained> {
  const { result } = await client.request("process/read", { processId });
  if (!isRecord(result) || !Array.isArray(result.chunks)) throw new Error("no result");
  const sizes = result.chunks.map(({ chunk }) => Uint8Array.fromBase64(chunk).length);
  return {
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    firstSeq: result.chunks[0]?.seq,
    closed: result.closed,
  };
}

/** Lets a command write while nobody is connected, and gives what is retained of it. */
async function outputWithoutConnection(args: string[], bytes: number): Promise<Retained> {
  await using executor = await ListeningExecutor.start({}, args);
  const first = await connectWebSocket(executor.url);
  const sessionId = await first.initialize();
  const script = `read line; head -c ${bytes} /dev/zero`;
  await start(first, shell("writer", script, { pipeStdin: true }));
  first.send(JSON.stringify({
    id: 1,
    method: "process/write",
    params: { processId: "writer", chunk: "Cg==", writeId: "1" },
  }));
  await first.close();
  await using second = await connectWebSocket(executor.url);
  await second.initialize(sessionId);
  let found: Retained = { bytes: 0, firstSeq: undefined, closed: false };
  await eventually(async () => {
    found = await retained(second, "writer");
    return found.closed === true;
  }, "the end of the command");
  return found;
}

Deno.test("a larger retention keeps all that was written during an outage", async () => {
  const bytes = 8 * MIB;
  const found = await outputWithoutConnection(["--retain-bytes", String(16 * MIB)], bytes);
  assertEquals(found, { bytes, firstSeq: 1, closed: true });
});

Deno.test("without it the newest mebibyte is kept", async () => {
  const { bytes } = await outputWithoutConnection([], 8 * MIB);
  // Whole chunks: at most one is missing from the mebibyte.
  assertEquals(bytes <= MIB && bytes > MIB - 256 * 1024, true);
});

Deno.test("clients are told how much is kept", async () => {
  await using executor = await ListeningExecutor.start({}, ["--retain-bytes", "2000000"]);
  await using client = await connectWebSocket(executor.url);
  const { result } = await client.request("initialize", { clientName: "test" });
  assertObjectMatch({ result }, {
    result: { environmentInfo: { capabilities: { retainedBytes: 2000000 } } },
  });
});
