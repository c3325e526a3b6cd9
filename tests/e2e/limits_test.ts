import { assertEquals, assertObjectMatch, assertStringIncludes } from "@std/assert";
import { shell, start, waitForOutput } from "./support/commands.ts";
import { ListeningExecutor } from "./support/executor.ts";
import { eventually } from "../support/patience.ts";
import type { RawClient } from "./support/raw_client.ts";
import { connectWebSocket } from "./support/websocket_client.ts";

/** A connection with a session. */
async function open(url: string): Promise<RawClient> {
  const client = await connectWebSocket(url);
  await client.initialize();
  return client;
}

/** The status that asking for a WebSocket is answered with. */
async function knock(url: string): Promise<number> {
  const { hostname, port } = new URL(url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const request =
    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  await connection.write(new TextEncoder().encode(request));
  const answer = new Uint8Array(1000);
  const length = await connection.read(answer) ?? 0;
  return Number(new TextDecoder().decode(answer.subarray(0, length)).split(" ")[1]);
}

Deno.test("a client too many is told to come later, and may when another has left", async () => {
  await using executor = await ListeningExecutor.start({}, ["--max-connections", "2"]);
  const [one, other] = [await open(executor.url), await open(executor.url)];
  assertEquals(await knock(executor.url), 503);
  await other.close();
  await eventually(async () => await knock(executor.url) === 101, "room for a client");
  await one.close();
});

Deno.test("a session too many is refused with the limit's name", async () => {
  await using executor = await ListeningExecutor.start({}, ["--max-sessions", "1"]);
  const one = await open(executor.url);
  const other = await connectWebSocket(executor.url);
  const answer = await other.request("initialize", { clientName: "test" });
  assertObjectMatch(answer, { error: { code: -32603 } });
  assertStringIncludes(JSON.stringify(answer), "--max-sessions");
  await other.close();
  await one.close();
});

Deno.test("a process too many is refused with the limit's name, until one has ended", async () => {
  await using executor = await ListeningExecutor.start({}, ["--max-processes", "1"]);
  const [one, other] = [await open(executor.url), await open(executor.url)];
  await start(one, shell("first", "echo up; exec sleep 1000"));
  await waitForOutput(one, "first", "up");
  const answer = await other.request("process/start", shell("second", "true"));
  assertObjectMatch(answer, { error: { code: -32603 } });
  assertStringIncludes(JSON.stringify(answer), "--max-processes");
  await one.request("process/terminate", { processId: "first" });
  await one.events("first");
  await start(other, shell("second", "true"));
  await other.events("second");
  assertObjectMatch(
    await other.request("process/start", { ...shell("third", "true"), argv: ["/no/such"] }),
    { error: { code: -32603 } },
  );
  await start(other, shell("third", "true"));
  await one.close();
  await other.close();
});

Deno.test("requests beyond the limit wait for their turn, and all are answered", async () => {
  await using executor = await ListeningExecutor.start({}, ["--concurrent-requests", "2"]);
  const client = await open(executor.url);
  const requests = Array.from(
    { length: 5000 },
    () => client.request("fs/getMetadata", { path: "file:///" }),
  );
  for (const answer of await Promise.all(requests)) {
    assertObjectMatch(answer, { result: { isDirectory: true } });
  }
  await client.close();
});
