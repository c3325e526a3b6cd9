import { assertEquals } from "@std/assert";
import { canRunBubblewrap, users } from "../../sandbox/linux/sandboxed_run.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { run, shell } from "../support/commands.ts";
import { connectStdio } from "../support/stdio_client.ts";
import { enclosedIn, launchAs } from "./support/sandboxed.ts";

const ordinary = users.find(({ id }) => id !== undefined);

Deno.test({
  name: "sandbox: a mount below a directory that the user cannot enter changes nothing",
  ignore: !canRunBubblewrap || ordinary?.id === undefined,
  fn: async () => {
    using directory = new TemporaryDirectory();
    using closed = new TemporaryDirectory();
    Deno.mkdirSync(`${closed.path}/mounted`);
    Deno.chownSync(directory.path, ordinary?.id ?? null, ordinary?.id ?? null);
    const mount = `mount -t tmpfs -o mode=777 tmpfs ${closed.path}/mounted; exec "$@"`;
    await using client = connectStdio({
      launcher: [
        ...["/usr/bin/unshare", "--mount", "/bin/sh", "-c", mount, "sh"],
        ...launchAs(ordinary ?? { name: "" }).launcher ?? [],
      ],
      env: { PATH: "/usr/bin:/bin", HOME: "/", REMEX_SANDBOX_MECHANISM: "bubblewrap" },
    });
    await client.initialize();
    const script = `echo ran; echo > ${closed.path}/mounted/file`;
    const outcome = await run(client, shell("p", script, enclosedIn(directory.path)));
    assertEquals({ exitCode: outcome.exitCode, stdout: outcome.stdout }, {
      exitCode: 2,
      stdout: "ran\n",
    });
  },
});
