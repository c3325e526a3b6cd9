import { assert, assertEquals, assertObjectMatch } from "@std/assert";
import { join } from "node:path";
import { command, run, shell } from "./support/commands.ts";
import { ListeningExecutor } from "./support/executor.ts";
import { isRecord, type Message, parseMessage } from "./support/inbox.ts";
import { isBlockedWriting } from "../support/marked_processes.ts";
import { eventually } from "../support/patience.ts";
import { Opcode, RawSocket } from "./support/raw_socket.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { connectWebSocket } from "./support/websocket_client.ts";

const MIB = 1024 * 1024;

/** Opens a session on a socket that is only read when the test says so. */
async function openSession(url: string): Promise<RawSocket> {
  const socket = await RawSocket.open(url);
  await request(socket, 1, "initialize", { clientName: "slow reader" });
  await socket.next();
  await socket.send(Opcode.Text, '{"method":"initialized"}');
  return socket;
}

function request(socket: RawSocket, id: number, method: string, params: unknown): Promise<void> {
  return socket.send(Opcode.Text, JSON.stringify({ id, method, params }));
}

async function* messages(socket: RawSocket): AsyncGenerator<Message> {
  for (;;) yield parseMessage(await socket.nextText());
}

Deno.test("a client that stops reading stops the command, and loses nothing", async () => {
  const bytes = 64 * MIB + 4321;
  using directory = new TemporaryDirectory();
  const finished = join(directory.path, "finished");
  await using executor = await ListeningExecutor.start();
  using slow = await openSession(executor.url);
  const script = `head -c ${bytes} /dev/zero; touch '${finished}'; exit 9`;
  await request(slow, 2, "process/start", shell("writer", script));
  await eventually(() => isBlockedWriting(`head\0-c\0${bytes}`), "a command that waits for room");

  await using other = await connectWebSocket(executor.url);
  await other.initialize();
  assertEquals((await run(other, command("quick", ["/bin/echo", "hi"]))).stdout, "hi\n");
  assert(isBlockedWriting(`head\0-c\0${bytes}`), "the command got room though nobody read");

  let received = 0;
  let lastSeq = 0;
  for await (const { method, params } of messages(slow)) {
    if (!isRecord(params)) continue;
    assertEquals(params.seq, ++lastSeq);
    if (typeof params.chunk === "string") received += Uint8Array.fromBase64(params.chunk).length;
    if (method === "process/exited") assertEquals(params.exitCode, 9);
    if (method === "process/closed") break;
  }
  assertEquals(received, bytes);
  assert(Deno.statSync(finished).isFile);
});

Deno.test("a client that asks for much without reading gets every answer once it reads", async () => {
  const bytes = 1_000_000;
  await using executor = await ListeningExecutor.start();
  using slow = await openSession(executor.url);
  await request(
    slow,
    2,
    "process/start",
    shell("writer", `head -c ${bytes} /dev/zero; exec sleep 1000`),
  );
  let received = 0;
  for await (const { params } of messages(slow)) {
    if (!isRecord(params) || typeof params.chunk !== "string") continue;
    received += Uint8Array.fromBase64(params.chunk).length;
    if (received === bytes) break;
  }
  const reads = 80;
  for (let id = 100; id < 100 + reads; id++) {
    await request(slow, id, "process/read", { processId: "writer" });
  }
  let id = 100;
  for await (const message of messages(slow)) {
    assertObjectMatch(message, { id, result: { exited: false, closed: false } });
    if (++id === 100 + reads) break;
  }
});

Deno.test("a client that only ever asks is cut off, and others do not notice", async () => {
  await using executor = await ListeningExecutor.start();
  using greedy = await openSession(executor.url);
  await request(
    greedy,
    2,
    "process/start",
    command("writer", ["/bin/sh", "-c", "head -c 1000000 /dev/zero"]),
  );
  for await (const { method } of messages(greedy)) if (method === "process/closed") break;
  // Saturates the connection, then fills what the executor keeps for later.
  for (let id = 100; id < 140; id++) {
    await request(greedy, id, "process/read", { processId: "writer" });
  }
  const filler = "x".repeat(4 * MIB);
  for (let count = 0; count < 20; count++) {
    await request(greedy, 1000 + count, "environment/info", { filler });
  }
  let answers = 0;
  while ((await greedy.next())?.opcode === Opcode.Text) answers++;
  assert(answers < 60, "every request was answered");
  await using other = await connectWebSocket(executor.url);
  await other.initialize();
  assertEquals((await run(other, command("quick", ["/bin/echo", "hi"]))).stdout, "hi\n");
});

Deno.test("a command that does not read its input holds up nobody else", async () => {
  await using executor = await ListeningExecutor.start();
  await using client = await connectWebSocket(executor.url);
  await client.initialize();
  await client.request("process/start", {
    ...shell("deaf", "head -c 1 > /dev/null; cat > /dev/null"),
    pipeStdin: true,
  });
  const chunk = new Uint8Array(MIB).fill(0x61).toBase64();
  const writes = Array.from(
    { length: 16 },
    (_, index) =>
      client.request("process/write", { processId: "deaf", chunk, writeId: `${index}` }),
  );
  assertEquals((await run(client, command("quick", ["/bin/echo", "hi"]))).stdout, "hi\n");
  const newline = { processId: "deaf", chunk: "Cg==", writeId: "newline" };
  writes.push(client.request("process/write", newline));
  for (const answer of await Promise.all(writes)) {
    assertObjectMatch(answer, { result: { status: "accepted" } });
  }
});
