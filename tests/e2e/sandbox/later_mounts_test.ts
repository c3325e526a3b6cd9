import { assertEquals } from "@std/assert";
import { canRunBubblewrap, type TestUser, users } from "../../sandbox/linux/sandboxed_run.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { outcomeOf, run, shell, start, waitForOutput } from "../support/commands.ts";
import type { Message } from "../support/inbox.ts";
import { ListeningExecutor } from "../support/executor.ts";
import { connectWebSocket } from "../support/websocket_client.ts";
import { enclosedIn, launchAs } from "./support/sandboxed.ts";

/** Where mounts are passed on to copies of the mount namespace, as on hosts with systemd. */
const SHARED = ["/usr/bin/unshare", "--mount", "--propagation", "shared", "--"];

/** Does something as root where an executor sees its files. */
async function inMountsOf({ pid }: ListeningExecutor, ...command: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("/usr/bin/nsenter", {
    args: [`--target=${pid}`, "--mount", "--", ...command],
    stderr: "piped",
  }).output();
  assertEquals([success, new TextDecoder().decode(stderr)], [true, ""]);
}

function special(kind: string, access: string): Message {
  return { path: { type: "special", value: { kind } }, access };
}

const POLICIES: Record<string, readonly Message[]> = {
  "reads everything": [special("root", "read")],
  "writes its workspace": [special("root", "read"), special("project_roots", "write")],
};

/** Without it another way into the sandbox has to be taken. */
const WITHOUT_PERL = [
  "/bin/sh",
  "-c",
  'mount --bind /dev/null "$(realpath /usr/bin/perl)" && exec "$@"',
  "sh",
];

function testLaterMounts(
  what: keyof typeof POLICIES,
  user: TestUser,
  machine: string,
  prepared: readonly string[] = [],
): void {
  Deno.test({
    name: `sandbox: what is mounted later is not there for one that ${what}, ${machine}`,
    ignore: !canRunBubblewrap || Deno.uid() !== 0,
    fn: async () => {
      using directory = new TemporaryDirectory();
      const { path: workspace } = directory;
      using beside = new TemporaryDirectory();
      if (user.id !== undefined) Deno.chownSync(workspace, user.id, user.id);
      Deno.chmodSync(beside.path, 0o777);
      const launcher = [...SHARED, ...prepared, ...launchAs(user).launcher ?? []];
      await using executor = await ListeningExecutor.start({ launcher });
      await using client = await connectWebSocket(executor.url);
      await client.initialize();
      const { cwd, sandbox } = enclosedIn(workspace);
      const permissions = {
        type: "managed",
        file_system: { type: "restricted", entries: POLICIES[what] },
        network: "restricted",
      };
      const enclosed: Message = { cwd, sandbox: { ...Object(sandbox), permissions } };
      const write = `touch ${beside.path}/file`;
      const script = `echo ready; read go; ${write} 2> /dev/null && echo written`;
      await start(client, shell("p", script, { ...enclosed, pipeStdin: true }));
      await waitForOutput(client, "p", "ready");
      const mount = ["/bin/mount", "-t", "tmpfs", "-o", "mode=777", "none", beside.path];
      await inMountsOf(executor, ...mount);
      await client.request("process/write", { processId: "p", chunk: btoa("go\n"), writeId: "1" });
      assertEquals(outcomeOf(await client.events("p")).stdout, "");
      assertEquals((await run(client, shell("next", write, enclosed))).exitCode, 1);
      assertEquals((await run(client, shell("outside", write))).exitCode, 0);
    },
  });
}

for (const user of users) {
  for (const what of Object.keys(POLICIES)) testLaterMounts(what, user, `as ${user.name}`);
  if (user.id === undefined) continue;
  testLaterMounts("reads everything", user, `as ${user.name} without perl`, WITHOUT_PERL);
}
