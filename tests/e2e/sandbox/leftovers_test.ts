import { assertEquals } from "@std/assert";
import { special } from "../../sandbox/context.ts";
import { canRunLandlock } from "../../sandbox/linux/landlocked_run.ts";
import { canRunBubblewrap, users } from "../../sandbox/linux/sandboxed_run.ts";
import { shell, start } from "../support/commands.ts";
import { ListeningExecutor } from "../support/executor.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import { MarkedProcesses } from "../../support/marked_processes.ts";
import { eventually } from "../../support/patience.ts";
import type { RawClient } from "../support/raw_client.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { connectWebSocket } from "../support/websocket_client.ts";
import { serveLoopback, writeAll } from "./support/http_proxy.ts";
import { managed } from "./support/managed.ts";
import { enclosedIn, launchAs } from "./support/sandboxed.ts";

const COMMANDS = 300;
const AT_ONCE = 8;

/** Kinds of sandboxed commands, each with what becomes of it. */
interface Kind {
  readonly script: string;
  readonly more: Message;
  readonly exitCode: number;
}

/** Runs the commands, so many at once, and returns those that ended otherwise than they should. */
async function runAll(client: RawClient, kindOf: (index: number) => Kind, ids: string[]) {
  const wrong: string[] = [];
  const waiting = ids.entries();
  const worker = async () => {
    for (const [index, id] of waiting) {
      const { script, more, exitCode } = kindOf(index);
      await start(client, shell(id, script, more));
      const exited = (await client.events(id)).at(-2);
      const got = isRecord(exited?.params) ? exited.params.exitCode : undefined;
      if (got !== exitCode) wrong.push(`${id}: ${script}: ${got}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return wrong;
}

/** The mounts that a program sees, and those of whoever runs the tests. */
function mounts(pid: number): readonly string[] {
  return [pid, "self"].map((id) => Deno.readTextFileSync(`/proc/${id}/mountinfo`));
}

function openDescriptors(pid: number): number {
  return Array.from(Deno.readDirSync(`/proc/${pid}/fd`)).length;
}

/** How many threads of its own a program has made, beside those of the runtime. */
function workers(pid: number): number {
  return Array.from(Deno.readDirSync(`/proc/${pid}/task`), ({ name }) => commandOf(pid, name))
    .filter((name) => name.startsWith("worker-")).length;
}

/** Threads come and go while one looks. */
function commandOf(pid: number, thread: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/task/${thread}/comm`);
  } catch {
    return "";
  }
}

/** Waits until a program has no child but its watchdog, zombies included. */
async function alone(pid: number): Promise<void> {
  await eventually(() => childrenOf(pid).length === 1, "the executor's children to end");
}

function childrenOf(pid: number): string[] {
  const threads = Array.from(Deno.readDirSync(`/proc/${pid}/task`), ({ name }) => name);
  return threads.map((thread) => childrenOfThread(pid, thread)).join("").split(" ").filter(Boolean);
}

/** Threads come and go while one looks. */
function childrenOfThread(pid: number, thread: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/task/${thread}/children`);
  } catch {
    return "";
  }
}

for (const user of users) {
  Deno.test({
    name: `sandbox: hundreds of commands leave nothing, as ${user.name}`,
    ignore: !canRunBubblewrap,
    fn: async () => {
      using directory = new TemporaryDirectory();
      const [workspace, temporary] = [`${directory.path}/ws`, `${directory.path}/tmp`];
      for (const path of [workspace, temporary]) Deno.mkdirSync(path);
      for (const path of [directory.path, workspace, temporary]) {
        if (user.id !== undefined) Deno.chownSync(path, user.id, user.id);
      }
      await using marked = new MarkedProcesses();
      await using server = serveLoopback((connection) => writeAll(connection, "hello\n"));
      await using executor = await ListeningExecutor.start({
        ...launchAs(user),
        env: { PATH: "/usr/bin:/bin", HOME: temporary, TMPDIR: temporary },
      });
      const client = await connectWebSocket(executor.url);
      await client.initialize();

      const enclosed: Message = enclosedIn(workspace);
      const env = { PATH: "/usr/bin:/bin", TMPDIR: temporary };
      const kinds: readonly Kind[] = [
        { script: "exit 0", more: {}, exitCode: 0 },
        { script: `sleep ${marked.duration} & exit 1`, more: {}, exitCode: 1 },
        { script: `setsid sleep ${marked.duration} & exit 2`, more: { tty: true }, exitCode: 2 },
        { script: "mkdir .git .codex 2>/dev/null || exit 3", more: {}, exitCode: 3 },
        { script: "kill -KILL $$", more: {}, exitCode: 137 },
      ];
      const connects: Kind = {
        script: `exec 3<>/dev/tcp/127.0.0.1/${server.port} && read line <&3 && test $line = hello`,
        more: { ...managed([server.port]), argv: undefined },
        exitCode: 0,
      };
      const landlocked: Kind = {
        script: "exit 4",
        more: readOnly(enclosed),
        exitCode: 4,
      };
      const kindOf = (index: number): Kind => {
        const kind = index % 50 === 10
          ? connects
          : index % 50 === 20 && canRunLandlock
          ? landlocked
          : kinds[index % kinds.length] ?? connects;
        const argv = ["/bin/bash", "-c", kind.script];
        return { ...kind, more: { ...enclosed, env, ...kind.more, argv } };
      };
      const ids = (what: string, count: number) =>
        Array.from({ length: count }, (_, index) => `${what} ${index}`);

      assertEquals(await runAll(client, kindOf, ids("first", 50)), []);
      await marked.reach(0);
      await alone(executor.pid);
      const found = () => ({
        mounts: mounts(executor.pid),
        workers: workers(executor.pid),
        open: openDescriptors(executor.pid),
      });
      // Threads are made ahead some time after the first: only between two of them is it the commands.
      let before = found();
      for (let round = 0;; round++) {
        assertEquals(await runAll(client, kindOf, ids(`then ${round}`, COMMANDS)), []);
        await marked.reach(0);
        await alone(executor.pid);
        if (workers(executor.pid) <= before.workers) break;
        before = found();
      }
      assertEquals(mounts(executor.pid), before.mounts);
      const closed = () => openDescriptors(executor.pid) <= before.open;
      await eventually(closed, "the executor to close descriptors");
      for (const path of [workspace, temporary]) {
        assertEquals(Array.from(Deno.readDirSync(path), ({ name }) => name), []);
      }
      await executor.endBy("SIGTERM");
      await client.ended;
    },
  });
}

/** The same where nothing may be written, by Landlock if there is a choice. */
function readOnly({ cwd, sandbox }: Message): Message {
  const fileSystem = { type: "restricted", entries: [special("root", "read")] };
  const permissions = { type: "managed", file_system: fileSystem, network: "restricted" };
  const context = isRecord(sandbox) ? sandbox : {};
  return { cwd, sandbox: { ...context, permissions, useLegacyLandlock: true } };
}
