import { assertEquals, assertMatch, assertObjectMatch } from "@std/assert";
import { special } from "../../sandbox/context.ts";
import { command, type Outcome, shell } from "../support/commands.ts";
import { exists } from "../support/files.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import { testSandboxed } from "./support/sandboxed.ts";

function sandboxDenied({ events }: Outcome): unknown {
  const exited = events.find(({ method }) => method === "process/exited");
  return isRecord(exited?.params) ? exited.params.sandboxDenied : undefined;
}

testSandboxed("the answer tells what encloses a command", async ({ client, enclosed }) => {
  assertEquals(
    (await client.request("process/start", command("p", ["/bin/true"], enclosed))).result,
    { processId: "p", sandboxType: "linuxSeccomp" },
  );
  await client.events("p");
  const disabled = { sandbox: { permissions: { type: "disabled" } } };
  assertEquals(
    (await client.request("process/start", command("q", ["/bin/true"], disabled))).result,
    { processId: "q", sandboxType: "none" },
  );
  await client.events("q");
});

testSandboxed("inside the workspace everything goes", async ({ script, workspace }) => {
  const outcome = await script("mkdir -p a/b && echo x > a/b/f && mv a c && cat c/b/f");
  assertEquals([outcome.exitCode, outcome.stdout, sandboxDenied(outcome)], [0, "x\n", false]);
  assertEquals(Deno.readTextFileSync(`${workspace}/c/b/f`), "x\n");
});

testSandboxed("outside is read but not written, and that is told", async (scene) => {
  const { client, script, outside } = scene;
  assertEquals((await script(`cat ${outside}/secret`)).stdout, "secret\n");
  const denied = await script(`echo x > ${outside}/new`);
  assertEquals(sandboxDenied(denied), true);
  assertMatch(denied.stderr, /read-only file system/i);
  assertEquals(exists(`${outside}/new`), false);
  assertObjectMatch(await client.request("process/read", { processId: "process 2" }), {
    result: { exited: true, closed: true, sandboxDenied: true },
  });
});

testSandboxed("what is said at last counts for a denial", async ({ script }) => {
  const chatter = "head -c 3000000 /dev/zero | tr '\\0' x";
  assertEquals(sandboxDenied(await script(`${chatter}; echo Permission denied >&2; exit 9`)), true);
  assertEquals(sandboxDenied(await script(`${chatter}; echo no reason >&2; exit 9`)), false);
  assertEquals(sandboxDenied(await script("echo Permission denied; exit 0")), false);
  // Said by a descendant, not by the command.
  assertEquals(sandboxDenied(await script("echo Operation not permitted & wait; exit 3")), true);
});

testSandboxed("without a sandbox nothing was denied", async ({ script }) => {
  assertEquals(
    sandboxDenied(await script("echo Permission denied; exit 9", { sandbox: null })),
    false,
  );
});

const CONNECT = `
import socket
try:
    socket.create_connection(("127.0.0.1", PORT), 5)
    print("connected")
except OSError as error:
    print(error)
`;

testSandboxed("the network is out of reach, the host's loopback too", async (scene) => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const code = CONNECT.replace("PORT", String(listener.addr.port));
  const { stdout } = await scene.run(["/usr/bin/python3", "-c", code]);
  assertMatch(stdout, /not permitted|unreachable/);
});

testSandboxed("protected names stay as they are and are not left behind", async (scene) => {
  const { script, workspace } = scene;
  for (const name of [".git", ".agents", ".codex"]) {
    const made = await script(`mkdir ${name}`);
    assertEquals(sandboxDenied(made), true);
    assertEquals(exists(`${workspace}/${name}`), false);
  }
  await script("mkdir -p .git/hooks", { sandbox: null });
  const changed = await script("cat .git/config; echo x > .git/hooks/pre-commit");
  assertEquals(sandboxDenied(changed), true);
  assertEquals(exists(`${workspace}/.git/hooks/pre-commit`), false);
});

/** What version 0.169.0 of codex sends for its workspace-write, apart from the paths. */
function recorded(workspace: string): Message {
  const skipped = { missing_path_behavior: "skip" };
  const entries = [
    special("root", "read"),
    special("project_roots", "write"),
    special("slash_tmp", "write"),
    special("tmpdir", "write"),
    ...[".git", ".agents", ".codex", ".aws"].map((name) => ({
      ...special("project_roots", "read", name),
      ...skipped,
    })),
  ];
  const file_system = { type: "restricted", entries };
  return {
    cwd: `file://${workspace}`,
    arg0: null,
    envPolicy: {
      inherit: "all",
      ignoreDefaultExcludes: true,
      exclude: [],
      set: {},
      includeOnly: [],
    },
    sandbox: {
      permissions: { type: "managed", file_system, network: "restricted" },
      cwd: `file://${workspace}`,
      workspaceRoots: [`file://${workspace}`],
      windowsSandboxLevel: "disabled",
      windowsSandboxProxySettingsMode: "reconcile",
      useLegacyLandlock: false,
    },
  };
}

testSandboxed(
  "a recorded workspace-write context works",
  async ({ script, workspace, outside }) => {
    const more = recorded(workspace);
    const written = await script(`echo x > f && echo y > ${outside}/in-tmp && cat f`, more);
    assertEquals([written.stderr, written.stdout], ["", "x\n"]);
    const denied = await script("echo x > /usr/new", more);
    assertEquals([sandboxDenied(denied), exists("/usr/new")], [true, false]);
  },
);

testSandboxed("sandboxed and bare commands mix", async ({ client, script, enclosed, outside }) => {
  await client.request("process/start", shell("slow", "sleep 0.2; echo slow", enclosed));
  const bare = await script(`echo x > ${outside}/new; cat ${outside}/new`, { sandbox: null });
  assertEquals([bare.exitCode, bare.stdout], [0, "x\n"]);
  assertObjectMatch((await client.events("slow")).at(-2) ?? {}, { params: { exitCode: 0 } });
});
