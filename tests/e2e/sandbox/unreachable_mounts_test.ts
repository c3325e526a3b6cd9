import { assertEquals, assertMatch } from "@std/assert";
import { canRunBubblewrap, type TestUser, users } from "../../sandbox/linux/sandboxed_run.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { type Outcome, outcomeOf, shell, waitForOutput } from "../support/commands.ts";
import { connectStdio } from "../support/stdio_client.ts";
import { enclosedIn, launchAs } from "./support/sandboxed.ts";

const ordinary = users.find(({ id }) => id !== undefined);

/** What a command could write that waited until the directory was opened, which somebody owns. */
async function writeWhenOpened(user: TestUser, owner: number | undefined): Promise<Outcome> {
  using directory = new TemporaryDirectory();
  using closed = new TemporaryDirectory();
  Deno.mkdirSync(`${closed.path}/mounted`);
  Deno.chmodSync(closed.path, 0);
  if (user.id !== undefined) Deno.chownSync(directory.path, user.id, user.id);
  if (owner !== undefined) Deno.chownSync(closed.path, owner, owner);
  const mount = `mount -t tmpfs -o mode=777 tmpfs ${closed.path}/mounted; exec "$@"`;
  await using client = connectStdio({
    launcher: [
      ...["/usr/bin/unshare", "--mount", "/bin/sh", "-c", mount, "sh"],
      ...launchAs(user).launcher ?? [],
    ],
    env: { PATH: "/usr/bin:/bin", HOME: "/", REMEX_SANDBOX_MECHANISM: "bubblewrap" },
  });
  await client.initialize();
  const script = `echo ready; read go; echo > ${closed.path}/mounted/file`;
  const params = shell("p", script, { ...enclosedIn(directory.path), pipeStdin: true });
  assertEquals((await client.request("process/start", params)).error, undefined);
  await waitForOutput(client, "p", "ready");
  if (owner === user.id) Deno.chmodSync(closed.path, 0o755);
  await client.request("process/write", { processId: "p", chunk: btoa("go\n"), writeId: "1" });
  return outcomeOf(await client.events("p"));
}

for (
  const [whose, owner] of [["another user's", undefined], ["the user's own", ordinary?.id]] as const
) {
  Deno.test({
    name: `sandbox: a mount below ${whose} directory that cannot be entered is not to be written`,
    ignore: !canRunBubblewrap || ordinary === undefined,
    fn: async () => {
      const { exitCode, stderr } = await writeWhenOpened(ordinary ?? { name: "" }, owner);
      assertEquals(exitCode, 2);
      assertMatch(stderr, owner === undefined ? /Permission denied/ : /Read-only file system/);
    },
  });
}
