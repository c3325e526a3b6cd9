import { assert, assertEquals } from "@std/assert";
import { canRunLandlock, WITHOUT_NAMESPACES } from "../../sandbox/linux/landlocked_run.ts";
import { canRunBubblewrap } from "../../sandbox/linux/sandboxed_run.ts";
import { eventually } from "../../support/patience.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { command, run, shell, start, waitForOutput } from "../support/commands.ts";
import { ListeningExecutor } from "../support/executor.ts";
import type { Message } from "../support/inbox.ts";
import type { RawClient } from "../support/raw_client.ts";
import { openWebSocket } from "../support/websocket_client.ts";
import { enclosedIn } from "./support/sandboxed.ts";
import { python } from "./support/python.ts";

/** A user whose processes are only those of this test. */
const USER = 56_000 + Deno.pid % 1000;
/** What many machines give to whoever logs in. */
const SOFT_LIMIT = 1024;

interface Scene {
  readonly client: RawClient;
  /** The executor's number, which other programs have started. */
  readonly pid: number;
  /** A directory that everybody may write. */
  readonly path: string;
}

/** Tests something with an executor with that limit of descriptors, where Landlock has to do. */
function testWithLimits(name: string, body: (scene: Scene) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !canRunLandlock || !canRunBubblewrap,
    async fn() {
      using directory = new TemporaryDirectory();
      Deno.chmodSync(directory.path, 0o777);
      const user = Deno.uid() === 0
        ? ["/usr/bin/setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups"]
        : [];
      const limits = ["/usr/bin/prlimit", `--nofile=${SOFT_LIMIT}:`, "--core=4096:"];
      const launcher = [...limits, ...user, ...WITHOUT_NAMESPACES];
      await using executor = await ListeningExecutor.start({ launcher });
      await using client = await openWebSocket(executor.url);
      const pid = Number((await run(client, shell("number", "echo $PPID"))).stdout);
      await body({ client, pid, path: directory.path });
    },
  });
}

/** The soft limits of a process. */
function softLimits(pid: number): { readonly descriptors: number; readonly core: number } {
  const text = Deno.readTextFileSync(`/proc/${pid}/limits`);
  const soft = (name: string) => Number(new RegExp(`^${name} +(\\d+)`, "m").exec(text)?.[1]);
  return { descriptors: soft("Max open files"), core: soft("Max core file size") };
}

testWithLimits(
  "who stops all that is started in its sandbox holds up nobody else, and no start for good",
  async ({ client, pid, path }) => {
    const before = softLimits(pid);
    assert(before.descriptors > SOFT_LIMIT, `${before.descriptors} descriptors`);
    const { cwd, sandbox } = enclosedIn(path);
    const enclosed: Message = { cwd, sandbox };
    const stopping = python(`
print("go", flush=True)
while True:
  try: os.kill(-1, signal.SIGSTOP)
  except OSError: pass
`);
    await start(client, command("stopping", stopping, enclosed));
    await waitForOutput(client, "stopping", "go");
    const stopped = ["a", "b", "c"];
    for (const id of stopped) {
      // All are answered, and stopped then.
      await start(client, command(id, ["/bin/sleep", "60"], enclosed));
      const bare = await run(client, command(`bare ${id}`, ["/bin/echo", "bare"], { cwd }));
      assertEquals([bare.stdout, bare.exitCode], ["bare\n", 0]);
      assertEquals(softLimits(pid), before);
    }
    for (const processId of ["stopping", ...stopped]) {
      await client.request("process/terminate", { processId });
    }
    await client.events("stopping");
  },
);

testWithLimits(
  "starts side by side lack no descriptors where more are open than programs are born with",
  async ({ client, pid, path }) => {
    const { cwd } = enclosedIn(path);
    const crowd = Array.from({ length: SOFT_LIMIT / 3 }, (_, number) => `crowd ${number}`);
    for (const id of crowd) await start(client, command(id, ["/bin/sleep", "600"], { cwd }));
    for (let round = 0; round < 4; round++) {
      const runs = Array.from({ length: 12 }, async (_, number) => {
        // A sandbox of its own: threads are made for it.
        const place = `${path}/${round}-${number}`;
        Deno.mkdirSync(place);
        Deno.chmodSync(place, 0o777);
        const { cwd, sandbox } = enclosedIn(place);
        // Each of these files is opened on the command's behalf.
        const script = "ulimit -Sn; for i in 1 2 3 4 5 6 7 8; do echo $i > $i || exit; done";
        const enclosed = await run(
          client,
          shell(`p ${round} ${number}`, script, { cwd, sandbox }),
        );
        const bare = await run(client, command(`q ${round} ${number}`, ["/bin/true"], { cwd }));
        return [enclosed.stdout, enclosed.stderr, bare.exitCode];
      });
      for (const got of await Promise.all(runs)) assertEquals(got, [`${SOFT_LIMIT}\n`, "", 0]);
    }
    await eventually(
      () => softLimits(pid).descriptors > SOFT_LIMIT,
      "the executor's own limit",
    );
  },
);

testWithLimits(
  "commands are ended before the executor when memory runs out, also once it has hidden itself",
  async ({ client, path }) => {
    const { cwd, sandbox } = enclosedIn(path);
    assertEquals(
      (await run(client, command("first", ["/bin/true"], { cwd, sandbox }))).exitCode,
      0,
    );
    const score = "for i in $(seq 500); do read score < /proc/self/oom_score_adj; " +
      "[ $score = 500 ] && break; sleep 0.01; done; echo $score";
    for (let number = 0; number < 25; number++) {
      const { stdout } = await run(client, shell(`bare ${number}`, score, { cwd }));
      assertEquals(stdout, "500\n");
    }
  },
);
