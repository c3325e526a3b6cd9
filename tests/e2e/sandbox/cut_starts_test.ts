import { path } from "../../sandbox/context.ts";
import { canRunBubblewrap } from "../../sandbox/linux/sandboxed_run.ts";
import { MarkedProcesses } from "../../support/marked_processes.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { shell } from "../support/commands.ts";
import { connectStdio } from "../support/stdio_client.ts";
import { enclosedIn } from "./support/sandboxed.ts";

const COMMANDS = 16;
/** Each cuts the starts at another place. */
const ROUNDS = 6;

for (const ending of ["is killed", "loses its client"] as const) {
  Deno.test({
    name: `sandbox: of starts nothing is left where their executor ${ending} meanwhile`,
    ignore: !canRunBubblewrap,
    fn: async () => {
      using directory = new TemporaryDirectory();
      const workspace = `${directory.path}/ws`;
      Deno.mkdirSync(workspace);
      Deno.writeTextFileSync(`${workspace}/denied`, "");
      const enclosed = enclosedIn(workspace, [path(`${workspace}/denied`, "deny")]);
      for (let round = 0; round < ROUNDS; round++) {
        await using marked = new MarkedProcesses();
        // What becomes of a start before its program runs has the executor's command line.
        const script = `exec -a remex-${marked.duration} "$0" "$@"`;
        const client = connectStdio({ launcher: ["/bin/bash", "-c", script] });
        await client.initialize();
        const [executor] = marked.find();
        const starts = Array.from(
          { length: COMMANDS },
          (_, index) =>
            client.request("process/start", shell(`${index}`, "exec sleep 1000", enclosed)),
        );
        for (const start of starts) start.catch(() => {});
        await Promise.race(starts.slice(round));
        if (ending === "is killed" && executor !== undefined) Deno.kill(executor, "SIGKILL");
        const closed = client[Symbol.asyncDispose]();
        await marked.reach(0);
        await closed;
      }
    },
  });
}
