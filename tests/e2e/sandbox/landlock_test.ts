import { assertEquals, assertMatch, assertObjectMatch } from "@std/assert";
import { special, type WireEntry } from "../../sandbox/context.ts";
import { canRunLandlock } from "../../sandbox/linux/landlocked_run.ts";
import { canRunBubblewrap, users } from "../../sandbox/linux/sandboxed_run.ts";
import { command, type Outcome, run, shell, waitForOutput } from "../support/commands.ts";
import { exists } from "../support/files.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import type { RawClient } from "../support/raw_client.ts";
import { connectStdio } from "../support/stdio_client.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { WITHOUT_NAMESPACES } from "./support/machines.ts";
import { managed } from "./support/managed.ts";
import { python } from "./support/python.ts";
import { enclosedIn, launchAs } from "./support/sandboxed.ts";

interface Scene {
  readonly client: RawClient;
  readonly workspace: string;
}

/** Tests something as each user, on a host without user namespaces. */
function testLandlocked(name: string, body: (scene: Scene) => Promise<void>): void {
  for (const user of users) {
    Deno.test({
      name: `Landlock: ${name}, as ${user.name}`,
      ignore: !canRunLandlock || !canRunBubblewrap,
      fn: async () => {
        using directory = new TemporaryDirectory();
        const workspace = `${directory.path}/ws`;
        Deno.mkdirSync(workspace);
        for (const path of [directory.path, workspace]) {
          if (user.id !== undefined) Deno.chownSync(path, user.id, user.id);
        }
        const { launcher = [] } = launchAs(user);
        await using client = connectStdio({ launcher: [...launcher, ...WITHOUT_NAMESPACES] });
        await client.initialize();
        await body({ client, workspace });
      },
    });
  }
}

/** Members of `process/start` that enclose a command in a workspace. */
function enclosed(workspace: string, entries: readonly WireEntry[] = [special("root", "read")]) {
  const fileSystem = { type: "restricted", entries };
  const permissions = { type: "managed", file_system: fileSystem, network: "restricted" };
  const { cwd, sandbox } = enclosedIn(workspace);
  return { cwd, sandbox: { ...isRecord(sandbox) ? sandbox : {}, permissions } };
}

function sandboxDenied({ events }: Outcome): unknown {
  const exited = events.find(({ method }) => method === "process/exited");
  return isRecord(exited?.params) ? exited.params.sandboxDenied : undefined;
}

/** What a start is refused with. */
async function refusal(client: RawClient, params: Message): Promise<string> {
  const { error } = await client.request("process/start", params);
  assertEquals(isRecord(error) && error.code, -32603);
  return isRecord(error) ? String(error.message) : "";
}

testLandlocked("a command runs enclosed", async ({ client, workspace }) => {
  const more: Message = enclosed(workspace);
  const { result } = await client.request("process/start", command("p", ["/bin/true"], more));
  assertEquals(result, { processId: "p", sandboxType: "linuxSeccomp" });
  await client.events("p");
  const outcome = await run(client, shell("q", "echo out > /dev/stdout; echo x > new", more));
  assertEquals([outcome.stdout, outcome.exitCode, sandboxDenied(outcome)], ["out\n", 2, true]);
  assertEquals(exists(`${workspace}/new`), false);
});

testLandlocked("what it cannot express is refused, with what helps", async (scene) => {
  const { client, workspace } = scene;
  const message = await refusal(client, shell("p", "echo x > new", enclosedIn(workspace)));
  assertMatch(message, /bubblewrap fails/);
  assertMatch(message, /Landlock cannot keep '.*\/ws\/\.agents' read-only/);
  assertMatch(message, /nothing was started/);
  assertEquals(exists(`${workspace}/new`), false);
});

testLandlocked("the ports of a managed network are refused", async ({ client, workspace }) => {
  const message = await refusal(
    client,
    command("p", ["/bin/true"], { ...enclosed(workspace), ...managed([45_001]) }),
  );
  assertMatch(message, /Landlock tells ports apart, but not the hosts .*nothing was started/);
});

testLandlocked("without its details a managed network is none", async ({ client, workspace }) => {
  const script = python("say(lambda: connect(('127.0.0.1', 1)))");
  const more = { ...enclosed(workspace), enforceManagedNetwork: true };
  assertEquals((await run(client, command("p", script, more))).stdout, "EPERM\n");
});

testLandlocked("what cannot be executed is refused", async ({ client, workspace }) => {
  Deno.writeTextFileSync(`${workspace}/broken`, "\x7fELF nothing", { mode: 0o755 });
  const message = await refusal(
    client,
    command("p", [`${workspace}/broken`], enclosed(workspace)),
  );
  assertMatch(message, /nothing was started: .*\/broken: .*\(os error \d+\)/);
});

testLandlocked("an interrupt reaches the command's own handler", async ({ client, workspace }) => {
  const script = "trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.01; done";
  await client.request("process/start", shell("p", script, enclosed(workspace)));
  await waitForOutput(client, "p", "ready");
  await client.request("process/signal", { processId: "p", signal: "interrupt" });
  const events = await client.events("p");
  assertObjectMatch(events.at(-2) ?? {}, { method: "process/exited", params: { exitCode: 7 } });
});

testLandlocked("the command has its terminal", async ({ client, workspace }) => {
  const script = "stty size; tty; echo x > $(tty); exec 3<>/dev/tty && echo y >&3; ps -o stat= $$";
  const terminalSize = { rows: 11, cols: 77 };
  const { pty, exitCode } = await run(
    client,
    shell("p", script, { ...enclosed(workspace), tty: true, terminalSize }),
  );
  assertEquals(exitCode, 0);
  assertMatch(pty, /^11 77\r\n\/dev\/pts\/\d+\r\nx\r\ny\r\nSs\+\r\n$/);
});
