import { assertEquals, assertObjectMatch, assertStringIncludes } from "@std/assert";
import { base64 } from "./support/base64.ts";
import { outcomeOf, run, shell, start } from "./support/commands.ts";
import { ListeningExecutor } from "./support/executor.ts";
import { isRecord } from "./support/inbox.ts";
import { canLimitMemory, MemoryGroup } from "../support/memory_group.ts";
import { eventually } from "../support/patience.ts";
import type { RawClient } from "./support/raw_client.ts";
import { Opcode, RawSocket } from "./support/raw_socket.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { connectWebSocket } from "./support/websocket_client.ts";
import { canRunLandlock } from "../sandbox/linux/landlocked_run.ts";
import { contextMessage, workspaceWrite } from "../sandbox/context.ts";

const MIB = 1024 * 1024;

/** A connection with a session. */
async function open(url: string): Promise<RawClient> {
  const client = await connectWebSocket(url);
  await client.initialize();
  return client;
}

/** A figure of /proc/PID/status, in bytes. */
function memory(pid: number, name: "VmRSS" | "VmHWM"): number {
  const line = Deno.readTextFileSync(`/proc/${pid}/status`).match(`${name}:\\s*(\\d+) kB`);
  return Number(line?.[1]) * 1024;
}

/** A client that nobody should harm, asked for something all the time. */
async function assertServed(client: RawClient): Promise<void> {
  const { stdout } = await run(client, shell(crypto.randomUUID(), "echo served"));
  assertEquals(stdout, "served\n");
}

const TOO_MUCH: Record<string, [text: string, reason: string]> = {
  "nested without end": ["[".repeat(63 * MIB), "nested too deeply"],
  "of millions of objects": [`[${"{},".repeat(21 * MIB)}1]`, "more than 100000 values"],
  "of millions of members": [`{${'"a":1,'.repeat(10 * MIB)}"b":1}`, "more than 100000 values"],
};

for (const [what, [text, reason]] of Object.entries(TOO_MUCH)) {
  Deno.test(`a message ${what} is refused and takes little more than its size`, async () => {
    await using executor = await ListeningExecutor.start();
    await using client = await open(executor.url);
    client.send(text);
    const answer = await client.answer(-1);
    assertObjectMatch(answer, { error: { code: -32600 } });
    assertStringIncludes(JSON.stringify(answer), reason);
    assertEquals(memory(executor.pid, "VmHWM") < 500 * MIB, true);
    await assertServed(client);
  });
}

Deno.test("memory that large messages took is given back", async () => {
  using directory = new TemporaryDirectory();
  await using executor = await ListeningExecutor.start();
  await using other = await open(executor.url);
  const clients = await Promise.all(Array.from({ length: 4 }, () => open(executor.url)));
  const dataBase64 = "QUJD".repeat(12 * MIB);
  await Promise.all(clients.map(async (client, index) => {
    const path = `file://${directory.path}/${index}`;
    assertObjectMatch(await client.request("fs/writeFile", { path, dataBase64 }), { result: {} });
    await client.close();
  }));
  await eventually(() => memory(executor.pid, "VmRSS") < 120 * MIB, "memory to be given back", {
    hangMs: 60_000,
  });
  await assertServed(other);
});

Deno.test("a message longer than the setting is refused, and clients are told how long it may be", async () => {
  const limit = 2 * MIB;
  await using executor = await ListeningExecutor.start({}, ["--max-message-bytes", String(limit)]);
  await using client = await connectWebSocket(executor.url);
  assertObjectMatch(await client.request("initialize", { clientName: "test" }), {
    result: { environmentInfo: { capabilities: { maxMessageBytes: limit } } },
  });
  client.send(" ".repeat(limit + 1));
  assertObjectMatch(await client.answer(-1), { error: { code: -32600 } });
});

Deno.test("only so many ended commands are remembered, the newest", async () => {
  await using executor = await ListeningExecutor.start({}, ["--max-ended-processes", "2"]);
  await using client = await open(executor.url);
  for (const name of ["first", "second", "third"]) await run(client, shell(name, "echo said"));
  const answers = [];
  for (const processId of ["first", "second", "third"]) {
    answers.push(await client.request("process/read", { processId }));
  }
  assertObjectMatch(answers[0] ?? {}, { error: { code: -32600 } });
  for (const answer of answers.slice(1)) assertObjectMatch(answer, { result: { closed: true } });
});

/** Tests an executor that has 256 MiB for itself, its commands and what it keeps for clients. */
function testInLittleMemory(
  name: string,
  body: (executor: ListeningExecutor, witness: RawClient) => Promise<void>,
): void {
  Deno.test({
    name: `in 256 MiB: ${name}`,
    ignore: !canLimitMemory,
    fn: async () => {
      using group = MemoryGroup.make(256 * MIB);
      if (group === undefined) throw new Error("no control group");
      await using executor = await ListeningExecutor.start(group.launch);
      await using witness = await open(executor.url);
      // Runs all the time: it would be the first to notice that its executor has been killed.
      await start(witness, shell("witness", "exec sleep 1000"));
      await body(executor, witness);
      await assertServed(witness);
      const { result } = await witness.request("process/read", { processId: "witness" });
      assertEquals(isRecord(result) && result.exited, false);
      await witness.request("process/terminate", { processId: "witness" });
      await witness.events("witness");
    },
  });
}

/** Sends a masked frame's head, and of what it announces so many bytes. */
async function sendInParts(
  socket: RawSocket,
  bytes: Uint8Array,
  announced: number,
): Promise<void> {
  const head = new DataView(new ArrayBuffer(14));
  head.setUint8(0, 0x81);
  head.setUint8(1, 0xff);
  head.setBigUint64(2, BigInt(announced));
  await socket.write(new Uint8Array(head.buffer));
  for (let sent = 0; sent < bytes.length; sent += MIB) {
    await socket.write(bytes.subarray(sent, sent + MIB));
  }
}

testInLittleMemory("messages of 58 MiB on ten connections at once", async ({ url }) => {
  const text = JSON.stringify({ id: 1, method: "a", params: "x".repeat(58 * MIB) });
  const message = new TextEncoder().encode(text);
  const sockets = await Promise.all(Array.from({ length: 10 }, () => RawSocket.open(url)));
  await Promise.all(sockets.map((socket) => sendInParts(socket, message, message.length)));
  sockets.forEach((socket) => socket[Symbol.dispose]());
});

testInLittleMemory(
  "messages as large as may be, on ten connections one after another",
  async ({ url }) => {
    using directory = new TemporaryDirectory();
    for (let index = 0; index < 10; index++) {
      // The runtime keeps a connection's buffer until it is closed.
      await using client = await open(url);
      const path = `file://${directory.path}/${index}`;
      const dataBase64 = "QUJD".repeat(15 * MIB / 4);
      assertObjectMatch(await client.request("fs/writeFile", { path, dataBase64 }), { result: {} });
    }
  },
);

testInLittleMemory("forty messages of 60 MiB that are never finished", async ({ url }) => {
  const part = new Uint8Array(59 * MIB);
  const sockets = await Promise.all(Array.from({ length: 40 }, () => RawSocket.open(url)));
  await Promise.all(sockets.map((socket) => sendInParts(socket, part, 60 * MIB)));
  sockets.forEach((socket) => socket[Symbol.dispose]());
});

testInLittleMemory("a hundred commands with a mebibyte of output each", async (_, witness) => {
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 10 }, async (_, index) => {
      const script = "head -c 1048576 /dev/zero";
      const { exitCode } = await run(witness, shell(`${round}.${index}`, script));
      assertEquals(exitCode, 0);
    }));
  }
});

testInLittleMemory("twenty clients that do not read what their commands say", async ({ url }) => {
  const clients = await Promise.all(Array.from({ length: 20 }, () => RawSocket.open(url)));
  for (const client of clients) {
    await client.send(Opcode.Text, '{"id":1,"method":"initialize","params":{"clientName":"a"}}');
    await client.send(Opcode.Text, '{"method":"initialized"}');
    const params = shell("writer", "head -c 64000000 /dev/zero");
    await client.send(Opcode.Text, JSON.stringify({ id: 2, method: "process/start", params }));
  }
  // The last answers have come, so that all commands run.
  for (const client of clients) while (!(await client.nextText()).includes('"id":2'));
  clients.forEach((client) => client[Symbol.dispose]());
});

testInLittleMemory("forty commands that take more than there is", async (_, witness) => {
  await Promise.all(Array.from({ length: 40 }, async (_, index) => {
    // Keeps its input, which has no line end, in memory.
    const script = "head -c 20000000 /dev/zero | tail -n 1 | (sleep 2; cat) > /dev/null";
    await run(witness, shell(`hungry ${index}`, script));
  }));
});

if (canRunLandlock) {
  testInLittleMemory(
    "a dozen policies that Landlock enforces, one after another",
    async (_, witness) => {
      using directory = new TemporaryDirectory();
      for (let index = 0; index < 12; index++) {
        const workspace = `${directory.path}/${index}`;
        Deno.mkdirSync(workspace);
        const roots = { cwd: workspace, workspaceRoots: [workspace] };
        const options = { entries: workspaceWrite, ...roots, useLegacyLandlock: true };
        const enclosed = { cwd: `file://${workspace}`, sandbox: contextMessage(options) };
        const script = shell(`enclosed ${index}`, "touch made", enclosed);
        assertEquals((await run(witness, script)).exitCode, 0);
      }
    },
  );
}

/** What a command that has started and its child have, and all that the executor had meanwhile. */
async function oomScores(own: number): Promise<{ commands: string[]; executor: string[] }> {
  const enter = `echo ${own} > /proc/self/oom_score_adj && exec "$@"`;
  await using executor = await ListeningExecutor.start({
    launcher: ["/bin/sh", "-c", enter, "sh"],
  });
  const file = `/proc/${executor.pid}/oom_score_adj`;
  const look = new Deno.Command("/bin/sh", {
    args: ["-c", `while read -r score < ${file}; do echo "$score"; done 2> /dev/null | uniq`],
    stdout: "piped",
  }).spawn();
  const seen = new Response(look.stdout).text();
  await using client = await open(executor.url);
  const script =
    "read -r _; sleep 1000 & cat /proc/$$/oom_score_adj /proc/$!/oom_score_adj; kill $!";
  const commands = await Promise.all(Array.from({ length: 20 }, async (_, index) => {
    const processId = `${index}`;
    await start(client, shell(processId, script, { pipeStdin: true }));
    await client.request("process/write", { processId, chunk: base64("go\n"), writeId: "1" });
    return outcomeOf(await client.events(processId)).stdout;
  }));
  await executor.endBy("SIGKILL");
  const { success } = await look.status;
  assertEquals(success, true);
  return { commands: [...new Set(commands)], executor: (await seen).trim().split("\n") };
}

Deno.test({
  name: "commands are ended before their executor when memory runs out, also while they start",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    assertEquals(await oomScores(0), { commands: ["500\n500\n"], executor: ["0"] });
    assertEquals(await oomScores(700), { commands: ["800\n800\n"], executor: ["700"] });
    assertEquals(await oomScores(1000), { commands: ["1000\n1000\n"], executor: ["1000"] });
  },
});
