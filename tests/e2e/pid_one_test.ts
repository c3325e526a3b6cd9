import { assertEquals, assertObjectMatch } from "@std/assert";
import { join } from "node:path";
import { descendantsOf } from "../../src/os/procfs.ts";
import { run, shell, start, waitForOutput } from "./support/commands.ts";
import { ListeningExecutor, REMEX_BIN } from "./support/executor.ts";
import { exists } from "./support/files.ts";
import { isRecord, type Message } from "./support/inbox.ts";
import { hasZombieChildren, MarkedProcesses } from "../support/marked_processes.ts";
import { eventually } from "../support/patience.ts";
import { RawSocket, UPGRADE } from "./support/raw_socket.ts";
import type { RawClient } from "./support/raw_client.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { connectWebSocket } from "./support/websocket_client.ts";

const BUBBLEWRAP = ["bwrap", "--dev-bind", "/", "/", "--unshare-pid", "--proc", "/proc"];
const NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];

/** Ways to make a program process 1 of a namespace, as it is in a container. */
const NAMESPACES: Readonly<Record<string, readonly string[]>> = {
  "bubblewrap": [...BUBBLEWRAP, "--as-pid-1", "--"],
  "unshare": ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--"],
  "bubblewrap, not root": [...NOBODY, ...BUBBLEWRAP, "--unshare-user", "--as-pid-1", "--"],
};

/** An executor that is process 1, and a client of it. */
interface Scene {
  readonly executor: ListeningExecutor;
  readonly client: RawClient;
  readonly marked: MarkedProcesses;
  /** A directory that anybody may write. */
  readonly directory: string;
  /** Process 1, under the id that it has outside. */
  readonly pid: number;
}

/** Registers a test for every way that there is here, or only for the first of them. */
function testProcessOne(
  name: string,
  args: readonly string[],
  body: (scene: Scene) => Promise<void>,
  ways: "all" | "first" = "all",
): void {
  for (
    const [kind, launcher] of Object.entries(NAMESPACES).slice(0, ways === "all" ? undefined : 1)
  ) {
    Deno.test({
      name: `process 1 (${kind}): ${name}`,
      ignore: !works(launcher),
      async fn() {
        using directory = new TemporaryDirectory();
        Deno.chmodSync(directory.path, 0o777);
        const program = reachableProgram();
        await using marked = new MarkedProcesses();
        await using executor = await ListeningExecutor.start(
          { launcher: [...launcher, "/bin/sh", "-c", `shift; exec ${program} "$@"`, "sh"] },
          args,
        );
        const client = await connectWebSocket(executor.url);
        await client.initialize();
        const pid = processOne(executor.pid);
        await body({ executor, client, marked, directory: directory.path, pid });
        await executor.end();
        await client.ended;
        await marked.reach(0);
      },
    });
  }
}

const programs = new TemporaryDirectory();
Deno.test.afterAll(() => programs[Symbol.dispose]());

/** The program where anybody can run it: where it was built others may not be able to reach it. */
function reachableProgram(): string {
  const program = join(programs.path, "remex");
  if (!exists(program)) {
    Deno.chmodSync(programs.path, 0o755);
    Deno.copyFileSync(REMEX_BIN, program);
  }
  return program;
}

/** Whether this machine and user can do it. */
function works([program = "", ...args]: readonly string[]): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    return new Deno.Command(program, { args: [...args, "true"], stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

/** The process below another that is the first in its namespace (proc_pid_status(5)). */
function processOne(launcher: number): number {
  const found = descendantsOf(launcher).find((pid) =>
    /^NSpid:.*\t1$/m.test(Deno.readTextFileSync(`/proc/${pid}/status`))
  );
  if (found === undefined) throw new Error("no process 1");
  return found;
}

async function status(executor: ListeningExecutor, path: string): Promise<number> {
  using socket = await RawSocket.connect(executor.url);
  return (await socket.http("GET", path)).status;
}

function exitCodeOf(events: readonly Message[]): unknown {
  const exited = events.find(({ method }) => method === "process/exited");
  return isRecord(exited?.params) ? exited.params.exitCode : undefined;
}

testProcessOne("orphans are reaped", [], async ({ executor, client, marked, pid }) => {
  // A daemon's way: the one in the middle ends first, so that process 1 inherits the last.
  const daemon = `(setsid sh -c 'sleep 0.05' > /dev/null 2>&1 &)`;
  for (let index = 0; index < 20; index++) {
    await start(client, shell(`process ${index}`, `${daemon}; ${daemon}; exit 4`));
    assertEquals(exitCodeOf(await client.events(`process ${index}`)), 4);
  }
  await start(client, shell("left", `setsid sleep ${marked.duration} > /dev/null 2>&1 & exit 0`));
  await client.events("left");
  await eventually(() => !hasZombieChildren(pid), "an executor without zombies");
  // It may still be about to become what it is told by.
  await eventually(() => marked.find().length === 1, "the process that was left");
  Deno.kill(pid, "SIGTERM");
  assertEquals((await executor.end()).code, 0);
});

testProcessOne("daemons that came from outside are left alone", [], async (scene) => {
  const { client, marked, pid } = scene;
  const enter = async (script: string) => {
    const args = [`--target=${pid}`, "--pid", "--mount", "sh", "-c", script];
    assertEquals((await new Deno.Command("nsenter", { args }).output()).success, true);
  };
  // The first stays; the end of the second is a reason to look at all.
  await enter(`setsid sleep ${marked.duration} > /dev/null 2>&1 < /dev/null & exit 0`);
  await enter("setsid sleep 0.1 > /dev/null 2>&1 < /dev/null & exit 0");
  await run(client, shell("p", `setsid sleep ${marked.duration} > /dev/null 2>&1 & exit 0`));
  await start(client, shell("q", `(setsid sleep ${marked.duration} &); exec sleep 600`));
  await marked.reach(3);
  await client.request("process/terminate", { processId: "q" });
  await marked.reach(2);
  await eventually(() => !hasZombieChildren(pid), "an executor without zombies");
  assertEquals(marked.find().length, 2);
  Deno.kill(pid, "SIGTERM");
}, "first");

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  testProcessOne(
    `${signal} asks all to end, kills the deaf when their time is up, and ends it`,
    ["--grace", "2"],
    async ({ executor, client, marked, directory, pid }) => {
      const wait = `sleep ${marked.duration} & wait`;
      const polite = (then: string) => `trap '${then}' TERM; echo up; ${wait}`;
      await start(client, shell("polite", polite("echo asked; exit 3")));
      await start(client, shell("deaf", `trap "" TERM; echo up; ${wait}; ${wait}`));
      await start(
        client,
        shell("daemon", 'setsid sh -c "$SCRIPT" < /dev/null & echo $!; exit 0', {
          env: { PATH: "/usr/bin:/bin", SCRIPT: polite(`touch ${directory}/asked; exit`) },
        }),
      );
      for (const id of ["polite", "deaf", "daemon"]) await waitForOutput(client, id, "up");
      // A shell and a sleep each.
      await marked.reach(6);
      Deno.kill(pid, signal);
      assertEquals(exitCodeOf(await client.events("polite")), 3);
      assertEquals(exitCodeOf(await client.events("deaf")), 137);
      assertEquals((await executor.end()).code, 0);
      assertEquals((await client.ended).code, 4503);
      assertEquals(exists(`${directory}/asked`), true);
    },
    signal === "SIGTERM" ? "all" : "first",
  );
}

testProcessOne(
  "while it drains it says so, and lets clients finish",
  ["--grace", "600"],
  async ({ executor, client, pid }) => {
    assertEquals(await status(executor, "/readyz"), 200);
    await start(client, {
      ...shell("last", "trap '' TERM; echo up; read line; echo $line; exit 4"),
      pipeStdin: true,
    });
    await waitForOutput(client, "last", "up");
    Deno.kill(pid, "SIGTERM");
    await eventually(async () => await status(executor, "/readyz") === 503, "not ready");
    assertEquals(await status(executor, "/livez"), 200);
    assertEquals(await status(executor, "/healthz"), 200);
    using socket = await RawSocket.connect(executor.url);
    assertEquals((await socket.http("GET", "/", UPGRADE)).status, 503);
    const write = { processId: "last", chunk: btoa("bye\n"), writeId: "1" };
    assertObjectMatch(await client.request("process/write", write), {
      result: { status: "accepted" },
    });
    assertEquals(exitCodeOf(await client.events("last")), 4);
    assertEquals((await executor.end()).code, 0);
  },
);

testProcessOne(
  "the end of its input ends it, and nothing is left",
  ["--grace", "0.2"],
  async ({ executor, client, marked }) => {
    const script = `trap '' TERM; setsid sleep ${marked.duration} & sleep ${marked.duration}`;
    await start(client, shell("deaf", `${script}; ${script}`));
    await marked.reach(3);
    await executor.endInput();
    assertEquals(exitCodeOf(await client.events("deaf")), 137);
    assertEquals((await executor.end()).code, 0);
  },
);
