import { ConnectionError, ExecServerClient } from "../../src/client/mod.ts";
import { assertEquals, assertObjectMatch } from "@std/assert";
import { join } from "node:path";
import { command, run, shell, start, waitForOutput } from "./support/commands.ts";
import { ended, ListeningExecutor, remex, REMEX_BIN } from "./support/executor.ts";
import { childrenWith, hasZombieChildren, MarkedProcesses } from "../support/marked_processes.ts";
import { eventually } from "../support/patience.ts";
import type { RawClient } from "./support/raw_client.ts";
import { connectStdio } from "./support/stdio_client.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { connectWebSocket } from "./support/websocket_client.ts";

/** Each tries in its own way to outlive the executor; $D is how long a sleep lasts. */
const SURVIVORS: readonly { readonly script: string; readonly processes: number }[] = [
  { script: "exec sleep $D", processes: 1 },
  // Deaf to whatever asks it to end.
  { script: "trap '' HUP INT TERM; sleep $D; sleep $D", processes: 2 },
  // In the background, also in a session of its own.
  { script: "sleep $D & setsid sleep $D & wait", processes: 3 },
  // Left behind by a shell that has ended: in its group, in another session, with descendants.
  { script: "sleep $D > /dev/null 2>&1 & exit 0", processes: 1 },
  { script: "setsid sleep $D > /dev/null 2>&1 & exit 0", processes: 1 },
  { script: "setsid sh -c 'sleep $D & exec sleep $D' > /dev/null 2>&1 & exit 0", processes: 2 },
];

/** Starts all of them, and a shell with job control, whose jobs have groups of their own. */
async function startSurvivors(client: RawClient, marked: MarkedProcesses): Promise<void> {
  for (const [index, { script }] of SURVIVORS.entries()) {
    const id = `survivor ${index}`;
    await start(client, shell(id, script.replaceAll("$D", marked.duration)));
    if (script.endsWith("exit 0")) await client.events(id);
  }
  const jobs = `nohup sleep ${marked.duration} > /dev/null 2>&1 & wait`;
  await start(client, {
    ...command("jobs", ["/bin/bash", "--norc", "-ic", jobs]),
    tty: true,
  });
  await marked.reach(SURVIVORS.reduce((sum, { processes }) => sum + processes, 0) + 2);
}

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGKILL", "SIGABRT"] as const) {
  Deno.test(`nothing that commands started survives an executor that ends by ${signal}`, async () => {
    await using marked = new MarkedProcesses();
    await using executor = await ListeningExecutor.start();
    const client = await connectWebSocket(executor.url);
    await client.initialize();
    await startSurvivors(client, marked);
    const { code } = await executor.endBy(signal);
    await client.ended;
    if (signal !== "SIGKILL" && signal !== "SIGABRT") assertEquals(code, 0);
    await marked.reach(0);
  });
}

Deno.test("an executor that was started to outlive its terminal does", async () => {
  const nohup = ["/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh"];
  await using executor = await ListeningExecutor.start({ launcher: nohup });
  await using client = await connectWebSocket(executor.url);
  await client.initialize();
  Deno.kill(executor.pid, "SIGHUP");
  assertEquals((await run(client, command("p", ["true"]))).exitCode, 0);
  assertEquals((await executor.endBy("SIGTERM")).code, 0);
});

Deno.test("nothing that commands started survives an executor whose input ends", async () => {
  await using marked = new MarkedProcesses();
  const client = connectStdio();
  await client.initialize();
  await startSurvivors(client, marked);
  await client.close();
  assertEquals((await client.ended).code, 0);
  await marked.reach(0);
});

Deno.test("a watchdog that is killed is replaced, and the next one knows what to guard", async () => {
  await using marked = new MarkedProcesses();
  await using executor = await ListeningExecutor.start();
  const client = await connectWebSocket(executor.url);
  await client.initialize();
  await start(client, command("sleeper", ["sleep", marked.duration]));
  const watchdogs = () => childrenWith(executor.pid, "sessions=");
  const [first = 0] = watchdogs();
  Deno.kill(first, "SIGKILL");
  await eventually(() => watchdogs().some((pid) => pid !== first), "another watchdog");
  await executor.endBy("SIGKILL");
  await client.ended;
  await marked.reach(0);
});

Deno.test("an executor that is told to end as soon as it listens says nothing of it", async () => {
  const executor = new Deno.Command(REMEX_BIN, {
    args: ["serve", "--listen", "ws://127.0.0.1:0"],
    clearEnv: true,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const reader = executor.stdout.getReader();
  await reader.read();
  executor.kill("SIGTERM");
  const said = await new Response(executor.stderr).text();
  const { code } = await executor.status;
  await reader.cancel();
  assertEquals({ code, said }, { code: 0, said: "" });
});

Deno.test("terminate kills the group and whatever has left it", async () => {
  await using marked = new MarkedProcesses();
  await using executor = await ListeningExecutor.start();
  await using client = await connectWebSocket(executor.url);
  await client.initialize();
  const script = `sleep ${marked.duration} & setsid sh -c 'sleep ${marked.duration} & wait' & wait`;
  await start(client, shell("family", script));
  await marked.reach(4);
  assertObjectMatch(await client.request("process/terminate", { processId: "family" }), {
    result: { running: true },
  });
  await marked.reach(0);
});

Deno.test("what a command leaves in the background runs on while the session lives", async () => {
  await using marked = new MarkedProcesses();
  await using executor = await ListeningExecutor.start();
  await using client = await connectWebSocket(executor.url);
  await client.initialize();
  await run(client, shell("starter", `sleep ${marked.duration} > /dev/null 2>&1 & exit 0`));
  await client.request("process/terminate", { processId: "starter" });
  await run(client, shell("other", "exit 0"));
  assertEquals(marked.find().length, 1);
});

Deno.test("orphans and commands leave no zombies", async () => {
  await using executor = await ListeningExecutor.start();
  await using client = await connectWebSocket(executor.url);
  await client.initialize();
  // A daemon's way: the one in the middle ends first, so that the executor inherits the last.
  const script = '(setsid sh -c \'read line < "$0"\' "$0" > /dev/null 2>&1 &); echo left';
  for (let index = 0; index < 20; index++) {
    await start(
      client,
      shell(`process ${index}`, index % 2 === 0 ? "exit 3" : `${script}; exit 4`),
    );
    await client.events(`process ${index}`);
  }
  await eventually(() => !hasZombieChildren(executor.pid), "an executor without zombies");
});

Deno.test("a client that goes away in the middle of a command's output leaves it running", async () => {
  await using marked = new MarkedProcesses();
  await using executor = await ListeningExecutor.start();
  const first = await connectWebSocket(executor.url);
  const sessionId = await first.initialize();
  const script = `echo ready; sleep ${marked.duration} & echo $!; read line; kill $!; exit 7`;
  await start(first, { ...shell("talker", script), pipeStdin: true });
  await waitForOutput(first, "talker", "ready");
  await first.close();
  await using second = await connectWebSocket(executor.url);
  await second.initialize(sessionId);
  await second.request("process/write", { processId: "talker", chunk: "Cg==", writeId: "1" });
  const events = await second.events("talker");
  assertObjectMatch({ events: events.slice(-2) }, {
    events: [
      { method: "process/exited", params: { exitCode: 7 } },
      { method: "process/closed" },
    ],
  });
  await marked.reach(0);
});

Deno.test("an executor on a unix socket leaves no file behind", async () => {
  using directory = new TemporaryDirectory();
  const path = join(directory.path, "socket");
  const child = remex(["serve", "--listen", `unix:${path}`]);
  await eventually(() => [...Deno.readDirSync(directory.path)].length === 1, "a socket file");
  child.kill("SIGTERM");
  await child.stdin.close();
  await child.stdout.cancel();
  assertEquals((await ended(child)).code, 0);
  assertEquals([...Deno.readDirSync(directory.path)], []);
});

Deno.test("a client that goes while its executor still tells it something ends its session all the same", async () => {
  await using marked = new MarkedProcesses();
  using directory = new TemporaryDirectory();
  const address = `unix:${directory.path}/socket`;
  const options = ["--listen", address, "--session-retention", "600"];
  await using _executor = await ListeningExecutor.start({}, options);
  const talks = `sleep ${marked.duration} & while :; do echo more; done`;
  const visit = async () => {
    const client = await ExecServerClient.connect(address);
    const { sessionId } = await client.opened;
    const process = await client.start({
      argv: ["/bin/sh", "-c", talks],
      cwd: "file:///",
      env: {},
    });
    for await (const { kind } of process) if (kind === "output") break;
    await client.close();
    return sessionId;
  };
  const hasEnded = async (resumeSessionId: string) => {
    try {
      const client = await ExecServerClient.connect(address, { resumeSessionId });
      await client.detach();
      return false;
    } catch (error) {
      return error instanceof ConnectionError && error.code === "sessionExpired";
    }
  };
  for (let round = 0; round < 10; round++) {
    for (const id of await Promise.all(Array.from({ length: 4 }, visit))) {
      await eventually(() => hasEnded(id), "the end of the session");
    }
  }
  await marked.reach(0);
});
