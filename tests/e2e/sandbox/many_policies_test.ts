import { assert, assertEquals } from "@std/assert";
import { path as pathEntry } from "../../sandbox/context.ts";
import { canRunBubblewrap } from "../../sandbox/linux/sandboxed_run.ts";
import { eventually } from "../../support/patience.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { outcomeOf, run, shell, start } from "../support/commands.ts";
import { exists, namesIn } from "../support/files.ts";
import { connectStdio } from "../support/stdio_client.ts";
import { enclosedIn } from "./support/sandboxed.ts";

/** More than any number of threads that an executor keeps for its commands. */
const MANY_POLICIES = 26;

Deno.test({
  name:
    "sandbox: each of many commands at once is judged by its own policy, with nothing on the disk",
  ignore: !canRunBubblewrap,
  fn: async () => {
    using directory = new TemporaryDirectory();
    const workspaces = Array.from({ length: MANY_POLICIES }, (_, index) => {
      const path = `${directory.path}/${index}`;
      Deno.mkdirSync(path);
      return { index, path, mayMake: index % 2 === 0 ? ".agents" : ".codex" };
    });
    await using client = connectStdio();
    await client.initialize();
    await Promise.all(workspaces.map(({ index, path, mayMake }) => {
      const script = "touch ready; until [ -e go ]; do sleep 0.05; done; rm ready go; " +
        "for n in .git .agents .codex; do mkdir $n && echo $n; done 2>/dev/null";
      const allowed = pathEntry(`${path}/${mayMake}`, "write");
      return start(client, shell(`${index}`, script, enclosedIn(path, [allowed])));
    }));
    for (const { path } of workspaces) {
      await eventually(() => exists(`${path}/ready`), "the commands to be ready");
    }
    for (const { path } of workspaces) assertEquals(namesIn(path), ["ready"]);
    for (const { path } of workspaces) Deno.writeTextFileSync(`${path}/go`, "");
    for (const { index, path, mayMake } of workspaces) {
      const { stdout } = outcomeOf(await client.events(`${index}`));
      assertEquals(stdout, `${mayMake}\n`);
      assertEquals(namesIn(path), [mayMake]);
    }
  },
});

const FLOOD_THREADS = 64;
const FILES = 500;
/**
 * The flood gets as many turns as the other, and goes on while that starts and ends. By arrival each of
 * its threads would get as many.
 */
const MOST_TURNS = FLOOD_THREADS / 2 * FILES;

/** Makes files without end, each by one of many threads. */
const FLOOD = `
import itertools, os, threading
def make(thread):
    for number in itertools.count():
        os.close(os.open(f"{thread} {number}", os.O_CREAT | os.O_WRONLY))
for thread in range(${FLOOD_THREADS}):
    threading.Thread(target=make, args=(thread,), daemon=True).start()
threading.Event().wait()
`;

Deno.test({
  name: "sandbox: a command that hands over many calls at once does not hold up another's",
  ignore: !canRunBubblewrap,
  fn: async () => {
    using directory = new TemporaryDirectory();
    const [flooded, workspace] = [`${directory.path}/flooded`, `${directory.path}/ws`];
    for (const path of [flooded, workspace]) Deno.mkdirSync(path);
    await using client = connectStdio();
    await client.initialize();
    const flood = shell("flood", `exec python3 -c '${FLOOD}'`, enclosedIn(flooded));
    await start(client, flood);
    await eventually(() => namesIn(flooded).length > FLOOD_THREADS, "the flood to begin");
    const script = "i=0; ls -A ../flooded | wc -l; " +
      `while [ $i -lt ${FILES} ]; do : > $i; i=$((i+1)); done; ls -A ../flooded | wc -l`;
    const { stdout } = await run(client, shell("other", script, enclosedIn(workspace)));
    const [before = NaN, after = NaN] = stdout.trim().split("\n").map(Number);
    await client.request("process/terminate", { processId: "flood" });
    assertEquals(namesIn(workspace).length, FILES);
    assert(after - before < MOST_TURNS, `the flood got ${after - before} turns meanwhile`);
  },
});
