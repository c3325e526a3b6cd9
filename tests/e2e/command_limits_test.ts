import { assertEquals, assertObjectMatch, assertStringIncludes } from "@std/assert";
import { special } from "../sandbox/context.ts";
import { canRunBubblewrap } from "../sandbox/linux/sandboxed_run.ts";
import { run, shell, start, waitForOutput } from "./support/commands.ts";
import { ListeningExecutor, runToEnd } from "./support/executor.ts";
import { isRecord, type Message } from "./support/inbox.ts";
import { testOnMachine } from "./support/machine.ts";
import { canLimitMemory } from "../support/memory_group.ts";
import { eventually } from "../support/patience.ts";
import type { RawClient } from "./support/raw_client.ts";
import { connectWebSocket } from "./support/websocket_client.ts";

/** A connection with a session. */
async function open(url: string): Promise<RawClient> {
  const client = await connectWebSocket(url);
  await client.initialize();
  return client;
}

function exitAmong(events: readonly Message[]): Message {
  const params = events.find(({ method }) => method === "process/exited")?.params;
  if (!isRecord(params)) throw new Error("no exit was told");
  return params;
}

/** Runs a command to its end and gives what was told of its exit. */
async function exitOf(client: RawClient, id: string, script: string) {
  await start(client, shell(id, script));
  return exitAmong(await client.events(id));
}

Deno.test("a command that takes longer than allowed is told to end, and it is told why", async () => {
  await using executor = await ListeningExecutor.start({}, [
    "--grace",
    "60",
    "--command-limits",
    "time=0.5",
  ]);
  const client = await open(executor.url);
  const exit = await exitOf(client, "slow", "trap 'exit 7' TERM; while :; do sleep 0.1; done");
  assertObjectMatch(exit, { exitCode: 7, limitExceeded: "time" });
  const read = await client.request("process/read", { processId: "slow" });
  assertObjectMatch(read, { result: { exitCode: 7, limitExceeded: "time" } });
  assertEquals("limitExceeded" in (await exitOf(client, "quick", "exit 3")), false);
  await client.close();
  const url = ["exec", "--url", executor.url, "--"];
  const { code, stderr } = await runToEnd([...url, "sleep", "1000"]);
  assertEquals(code, 143);
  assertStringIncludes(stderr, "the executor's limit of time was reached");
});

Deno.test("a command that does not end when its time is up is killed after the grace, with all it started", async () => {
  const options = ["--command-limits", "time=0.5", "--grace", "0.3"];
  await using executor = await ListeningExecutor.start({}, options);
  const client = await open(executor.url);
  const script = "trap '' TERM; setsid sleep 98765 & echo $!; while :; do sleep 0.1; done";
  const { events, stdout } = await run(client, shell("stubborn", script));
  assertObjectMatch(exitAmong(events), {
    exitCode: 137,
    limitExceeded: "time",
  });
  assertEquals(isRunning(Number(stdout)), false);
  await client.close();
});

Deno.test({
  name: "a command that takes more memory than allowed is ended alone, and it is told why",
  ignore: !canLimitMemory,
  fn: async () => {
    await using executor = await ListeningExecutor.start({}, ["--command-limits", "memory=64MiB"]);
    const client = await open(executor.url);
    await start(client, shell("bystander", "echo up; sleep 1000"));
    await waitForOutput(client, "bystander", "up");
    const hog = "exec perl -e '$x = \"x\" x (200 * 1024 * 1024); print length $x'";
    const exit = await exitOf(client, "hog", hog);
    assertObjectMatch(exit, { exitCode: 137, limitExceeded: "memory" });
    const modest = await exitOf(client, "modest", "exit 3");
    assertEquals("limitExceeded" in modest, false);
    const read = await client.request("process/read", { processId: "bystander" });
    assertObjectMatch(read, { result: { exited: false } });
    await client.close();
  },
});

Deno.test({
  name: "commands that take more memory together than allowed are ended, and the executor is not",
  ignore: !canLimitMemory,
  fn: async () => {
    await using executor = await ListeningExecutor.start({}, [
      "--command-limits",
      "totalMemory=96MiB",
    ]);
    const client = await open(executor.url);
    const part = 'exec perl -e \'$| = 1; $x = "x" x (30 * 1024 * 1024); print "up"; sleep 1000\'';
    for (const id of ["one", "two", "three", "four"]) await start(client, shell(id, part));
    const ended = await Promise.any(
      ["one", "two", "three", "four"].map((id) => client.events(id)),
    );
    assertObjectMatch(exitAmong(ended), {
      exitCode: 137,
      limitExceeded: "memory",
    });
    assertEquals((await exitOf(client, "later", "exit 3")).exitCode, 3);
    await client.close();
  },
});

Deno.test({
  name:
    "a command cannot have more processes than allowed, nor can its daemons, and it is told why",
  ignore: !canLimitMemory,
  fn: async () => {
    await using executor = await ListeningExecutor.start({}, ["--command-limits", "processes=10"]);
    const client = await open(executor.url);
    const bomb =
      "i=0; while [ $i -lt 30 ]; do i=$((i+1)); setsid sleep 1000 >/dev/null 2>&1 & done; wait";
    const exit = await exitOf(client, "bomb", bomb);
    assertEquals(exit.limitExceeded, "processes");
    assertEquals((await exitOf(client, "later", "(exit 3)")).exitCode, 3);
    await client.close();
  },
});

for (const useLegacyLandlock of [false, true]) {
  Deno.test({
    name: `a sandboxed command is kept within limits or refused, Landlock ${useLegacyLandlock}`,
    ignore: !canLimitMemory || !canRunBubblewrap,
    fn: async () => {
      const limits = ["--command-limits", "memory=64MiB"];
      await using executor = await ListeningExecutor.start({}, limits);
      const client = await open(executor.url);
      const permissions = {
        type: "managed",
        // Threads that are in no group keep the names in /tmp that must not be made.
        file_system: {
          type: "restricted",
          entries: [special("root", "read"), special("slash_tmp", "write")],
        },
        network: "enabled",
      };
      const hog = "exec perl -e '$x = \"x\" x (200 * 1024 * 1024); print length $x'";
      const params = shell("hog", hog, { sandbox: { permissions, useLegacyLandlock } });
      const answer = await client.request("process/start", params);
      if ("error" in answer) {
        assertEquals(useLegacyLandlock, true, JSON.stringify(answer));
        assertStringIncludes(JSON.stringify(answer), "commandLimits");
      } else {
        assertObjectMatch(exitAmong(await client.events("hog")), {
          exitCode: 137,
          limitExceeded: "memory",
        });
      }
      await client.close();
    },
  });
}

Deno.test({
  name: "an executor with limits leaves no control group behind",
  ignore: !canLimitMemory,
  fn: async () => {
    const before = groups();
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      await using executor = await ListeningExecutor.start({}, [
        "--command-limits",
        "memory=64MiB,processes=20",
      ]);
      const client = await open(executor.url);
      await exitOf(client, "daemon", "setsid sleep 1000 >/dev/null 2>&1 & exit 0");
      assertEquals(groups().length > before.length, true);
      await executor.endBy(signal);
      await eventually(
        () => Promise.resolve(groups().every((name) => before.includes(name))),
        `no group after ${signal}`,
      );
    }
  },
});

Deno.test("limits that cannot be understood keep an executor from starting", async () => {
  for (const text of ["memory=1", "time=-1", "tea=5", "time=1,time=2", "", "memory=5tons"]) {
    const { code, stderr } = await runToEnd(["serve", "--command-limits", text]);
    assertEquals(code, 2, text);
    assertStringIncludes(stderr, "--command-limits");
  }
});

testOnMachine(
  "limits that cannot be enforced here keep an executor from starting",
  async (machine) => {
    const launch = machine.launch();
    const hide = 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"';
    const launcher = [...launch.launcher ?? [], "/bin/sh", "-c", hide, "sh"];
    const args = ["serve", "--command-limits", "memory=64MiB"];
    const { code, stderr } = await runToEnd(args, "", { ...launch, launcher });
    assertEquals(code, 2, stderr);
    assertStringIncludes(stderr, "--command-limits: memory cannot be limited: ");
  },
);

testOnMachine(
  "limits that an administrator demands hold for what nobody set, and bound the rest",
  async (machine) => {
    const file = machine.etc("requirements.jsonc", '{ "commandLimits": "time=2,processes=50" }');
    const { stdout } = await runToEnd(["config", "--json"], "", machine.launch());
    assertObjectMatch(JSON.parse(stdout).settings.commandLimits, {
      value: "processes=50,time=2",
      layer: "requirements",
    });
    machine.user('{ "commandLimits": "time=1" }');
    const lower = await runToEnd(["config", "--json"], "", machine.launch());
    assertEquals(JSON.parse(lower.stdout).settings.commandLimits.value, "processes=50,time=1");
    machine.user('{ "commandLimits": "time=3" }');
    const { code, stderr } = await runToEnd(["serve"], "", machine.launch());
    assertEquals(code, 2, String(file));
    assertStringIncludes(stderr, "commandLimits allows time=2,processes=50, but");
  },
);

/** Groups that executors of any test have made. */
function groups(): string[] {
  const { stdout } = new Deno.Command("find", {
    args: ["/sys/fs/cgroup", "-maxdepth", "8", "-type", "d", "-name", "remex-????????-*"],
  }).outputSync();
  return new TextDecoder().decode(stdout).split("\n");
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s*[ZX]/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}
