import { assertEquals, assertObjectMatch } from "@std/assert";
import { canRunBubblewrap } from "../../sandbox/linux/sandboxed_run.ts";
import { base64 } from "../support/base64.ts";
import { outputOf, shell, start, waitForOutput } from "../support/commands.ts";
import { ListeningExecutor } from "../support/executor.ts";
import type { Message } from "../support/inbox.ts";
import { MarkedProcesses } from "../../support/marked_processes.ts";
import type { RawClient } from "../support/raw_client.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { eventually } from "../../support/patience.ts";
import { connectWebSocket } from "../support/websocket_client.ts";
import { enclosedIn, testSandboxed } from "./support/sandboxed.ts";

/** The three ways to connect a command, and the stream that its output comes from. */
const STDIO = [
  { id: "pipes", more: {}, stream: "stdout" },
  { id: "terminal", more: { tty: true }, stream: "pty" },
  { id: "input", more: { pipeStdin: true }, stream: "stdout" },
] as const;

/** Starts a script that says `go`, and waits until it does. */
async function startGoing(client: RawClient, params: Message): Promise<void> {
  await start(client, params);
  await waitForOutput(client, String(params.processId), "go");
}

testSandboxed("an interrupt runs the command's own handler", async ({ client, enclosed }) => {
  const script = "trap 'echo caught; exit 42' INT; echo go; while :; do sleep 0.02; done";
  for (const { id, more, stream } of STDIO) {
    await startGoing(client, shell(id, script, { ...enclosed, ...more }));
    const interrupt = { processId: id, signal: "interrupt" };
    assertEquals((await client.request("process/signal", interrupt)).result, {});
    const events = await client.events(id);
    assertEquals(outputOf(events, stream).trim(), "caught");
    assertObjectMatch(events.at(-2) ?? {}, { params: { exitCode: 42, sandboxDenied: false } });
  }
});

testSandboxed("an interrupt ends what has no handler", async ({ client, enclosed }) => {
  for (const { id, more } of STDIO) {
    await startGoing(client, shell(id, "echo go; exec sleep 100", { ...enclosed, ...more }));
    await client.request("process/signal", { processId: id, signal: "interrupt" });
    assertObjectMatch((await client.events(id)).at(-2) ?? {}, { params: { exitCode: 130 } });
  }
});

testSandboxed("Ctrl-C on the terminal reaches the command", async ({ client, enclosed }) => {
  const script = "trap 'echo caught; exit 42' INT; echo go; while :; do sleep 0.02; done";
  await startGoing(client, shell("p", script, { ...enclosed, tty: true }));
  const write = { processId: "p", chunk: base64("\x03"), writeId: "w" };
  await client.request("process/write", write);
  assertObjectMatch((await client.events("p")).at(-2) ?? {}, { params: { exitCode: 42 } });
});

testSandboxed("a resize reaches the command", async ({ client, enclosed }) => {
  const script = "trap 'stty size' WINCH; echo go; while :; do sleep 0.02; done";
  await startGoing(client, shell("p", script, { ...enclosed, tty: true }));
  await client.request("process/resize", { processId: "p", rows: 50, cols: 132 });
  await waitForOutput(client, "p", "50 132");
  await client.request("process/terminate", { processId: "p" });
  await client.events("p");
});

testSandboxed("terminate leaves nothing", async ({ client, enclosed }) => {
  await using marked = new MarkedProcesses();
  const deaf = `trap '' INT TERM HUP; sleep ${marked.duration} & setsid sleep ${marked.duration} &`;
  for (const { id, more } of STDIO) {
    await start(client, shell(id, `${deaf} wait`, { ...enclosed, ...more }));
    await marked.reach(5);
    const { result } = await client.request("process/terminate", { processId: id });
    assertEquals(result, { running: true });
    assertObjectMatch((await client.events(id)).at(-2) ?? {}, { params: { exitCode: 137 } });
    await marked.reach(0);
  }
});

testSandboxed("a command ends with all it started", async ({ client, script }) => {
  await using marked = new MarkedProcesses();
  const left = await script(`setsid sleep ${marked.duration} > /dev/null 2>&1 & exit 6`);
  assertEquals(left.exitCode, 6);
  await marked.reach(0);
  assertEquals((await client.request("process/terminate", { processId: "process 1" })).result, {
    running: false,
  });
});

for (const signal of ["SIGKILL", "SIGTERM"] as const) {
  Deno.test({
    name: `sandbox: nothing survives an executor that ends by ${signal}`,
    ignore: !canRunBubblewrap,
    fn: async () => {
      using directory = new TemporaryDirectory();
      await using marked = new MarkedProcesses();
      await using executor = await ListeningExecutor.start();
      const client = await connectWebSocket(executor.url);
      await client.initialize();
      const enclosed = enclosedIn(directory.path);
      const script = `setsid sleep ${marked.duration} & sleep ${marked.duration}; :`;
      for (const { id, more } of STDIO) {
        await start(client, shell(id, script, { ...enclosed, ...more }));
      }
      // The shell itself has the number in its command line, and so has its wrapper with its child.
      await marked.reach(5 * STDIO.length);
      await executor.endBy(signal);
      await client.ended;
      await marked.reach(0);
      const left = () => Array.from(Deno.readDirSync(directory.path), ({ name }) => name);
      await eventually(() => left().length === 0, "the workspace to be as it was");
    },
  });
}

Deno.test({
  name: "sandbox: an executor that is told to end asks commands first",
  ignore: !canRunBubblewrap,
  fn: async () => {
    using directory = new TemporaryDirectory();
    await using executor = await ListeningExecutor.start({}, ["--grace", "10"]);
    const client = await connectWebSocket(executor.url);
    await client.initialize();
    const script = "trap 'echo asked; exit 7' TERM; echo go; while :; do sleep 0.02; done";
    await startGoing(client, shell("p", script, enclosedIn(directory.path)));
    await executor.endBy("SIGTERM");
    assertObjectMatch((await client.events("p")).at(-2) ?? {}, { params: { exitCode: 7 } });
    await client.ended;
  },
});
