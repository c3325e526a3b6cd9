import { assert, assertEquals, assertMatch, assertObjectMatch } from "@std/assert";
import { canRunBubblewrap, users } from "../../sandbox/linux/sandboxed_run.ts";
import { testBoth } from "../support/both_transports.ts";
import { run, shell, stdoutOf } from "../support/commands.ts";
import type { LaunchOptions } from "../support/executor.ts";
import { exists } from "../support/files.ts";
import type { Message } from "../support/inbox.ts";
import { connectStdio } from "../support/stdio_client.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { managed as managedNetwork } from "./support/managed.ts";
import { enclosedIn, launchAs } from "./support/sandboxed.ts";

function managed(fileSystem: Message, more: Message = {}): Message {
  const permissions = { type: "managed", file_system: fileSystem, network: "restricted" };
  return { sandbox: { permissions, windowsSandboxLevel: "disabled", ...more } };
}

function entry(path: Message, access = "read"): Message {
  return { type: "restricted", entries: [{ path, access }] };
}

const ALL = { type: "path", path: "file:///" };

const MANY_PORTS = Array.from({ length: 129 }, (_, index) => 20_000 + index);

/** Intents that are wrong, or that nothing here enforces in full. */
const INTENTS: readonly (readonly [intent: Message, code: number])[] = [
  [managed(entry({ type: "path", path: "file:///C:/x" })), -32602],
  [managed(entry({ type: "path", path: "relative" })), -32602],
  [managed(entry({ type: "glob_pattern", pattern: "*.key" }, "write")), -32602],
  [managed(entry(ALL, "execute")), -32602],
  [managed({ type: "unrestricted" }, { cwd: "file://server/share" }), -32602],
  [managed({ type: "strict" }), -32602],
  [{ sandbox: { permissions: { type: "sealed" } } }, -32602],
  [{ sandbox: {} }, -32602],
  // Nothing may be read: not even the program.
  [managed({ type: "restricted", entries: [] }), -32603],
  [managed(entry({ type: "special", value: { kind: "unknown" } })), -32603],
  [{ managedNetwork: { loopbackPorts: [70000], allowLocalBinding: false } }, -32602],
  [{ managedNetwork: { loopbackPorts: MANY_PORTS, allowLocalBinding: false } }, -32603],
];

testBoth("a command that cannot be enclosed as asked never runs", async ({ open }, t) => {
  using directory = new TemporaryDirectory();
  await using client = await open();
  const cwd = `file://${directory.path}`;
  for (const [intent, code] of INTENTS) {
    for (const tty of [false, true]) {
      await t.step(`${JSON.stringify(intent)} tty ${tty}`, async () => {
        const params = shell("p", "touch ran", { cwd, tty, ...intent });
        const answer = await client.request("process/start", params);
        assertObjectMatch(answer, { error: { code } });
        assertObjectMatch(await client.request("process/read", { processId: "p" }), {
          error: { code: -32600 },
        });
      });
    }
  }
  await t.step("and the id is free", async () => {
    assertEquals((await run(client, shell("p", "exit 3"))).exitCode, 3);
    assertEquals(exists(`${directory.path}/ran`), false);
  });
});

/** Asks an executor on some machine to run something enclosed, which it must refuse. */
async function refusalOn(
  directory: TemporaryDirectory,
  machine: LaunchOptions,
  more: Message = {},
): Promise<string> {
  directory.write("ws/file", "", 0o644);
  const inWorkspace = () =>
    Array.from(Deno.readDirSync(`${directory.path}/ws`), ({ name }) => name);
  const before = inWorkspace();
  await using client = connectStdio(machine);
  await client.initialize();
  const params = shell("p", "touch ran", { ...enclosedIn(`${directory.path}/ws`), ...more });
  const { error } = await client.request("process/start", params);
  assertObjectMatch({ error }, { error: { code: -32603 } });
  assertEquals(inWorkspace(), before);
  assertEquals((await run(client, shell("p", "exit 3"))).exitCode, 3);
  return JSON.stringify(error);
}

/** A machine whose bubblewrap, or some other program, is this script. */
function withBubblewrap(
  directory: TemporaryDirectory,
  script: string,
  program = "bwrap",
): LaunchOptions {
  directory.write(`bin/${program}`, `#!/bin/sh\n${script}`, 0o755);
  return { env: { PATH: `${directory.path}/bin:/usr/bin:/bin` } };
}

Deno.test({
  name: "sandbox: a set-up that fails is told in bubblewrap's words",
  ignore: !canRunBubblewrap,
  fn: async () => {
    using directory = new TemporaryDirectory();
    const script = 'case $1 in --args) echo "bwrap: no luck" >&2; exit 1;; esac; exec bwrap "$@"';
    const machine = withBubblewrap(directory, script.replace("exec ", "exec /usr/bin/"));
    assertMatch(await refusalOn(directory, machine), /bwrap: no luck/);
  },
});

Deno.test({
  name: "sandbox: a set-up that fails for what has passed meanwhile is done anew",
  ignore: !canRunBubblewrap,
  fn: async () => {
    using directory = new TemporaryDirectory();
    Deno.mkdirSync(`${directory.path}/ws`);
    const failed = `${directory.path}/failed`;
    const fail = `test -e ${failed} || { touch ${failed}; exit 1; }`;
    const script = `case $1 in --args) ${fail};; esac; exec /usr/bin/bwrap "$@"`;
    await using client = connectStdio(withBubblewrap(directory, script));
    await client.initialize();
    const { cwd, sandbox } = enclosedIn(`${directory.path}/ws`);
    assertEquals(await stdoutOf(client, shell("p", "echo ran", { cwd, sandbox })), "ran\n");
    assert(exists(failed));
  },
});

/** Root gets into a sandbox's network by itself. */
const ordinary = users.at(-1) ?? { name: "an ordinary user" };

for (
  const [what, script] of [
    ["fails", 'echo "nsenter: no luck" >&2; exit 1'],
    ["gets killed", "echo no luck >&2; kill -KILL $$"],
    ["makes no sockets", "echo no luck >&2"],
  ] as const
) {
  Deno.test({
    name: `sandbox: a way into the network of a sandbox that ${what}`,
    ignore: !canRunBubblewrap,
    fn: async () => {
      using directory = new TemporaryDirectory();
      const machine = withBubblewrap(directory, script, "nsenter");
      Deno.mkdirSync(`${directory.path}/ws`);
      if (ordinary.id !== undefined) {
        for (const path of [directory.path, `${directory.path}/ws`]) {
          Deno.chownSync(path, ordinary.id, ordinary.id);
        }
      }
      const refusal = await refusalOn(
        directory,
        { ...machine, ...launchAs(ordinary) },
        managedNetwork([45_001]),
      );
      assertMatch(refusal, /could not be set up, nothing was started: .+/);
    },
  });
}

Deno.test({
  name: "sandbox: a bubblewrap that gets killed in the middle of the set-up",
  ignore: !canRunBubblewrap,
  fn: async () => {
    using directory = new TemporaryDirectory();
    const script = 'case $1 in --args) kill -KILL $$;; esac; exec /usr/bin/bwrap "$@"';
    assertMatch(await refusalOn(directory, withBubblewrap(directory, script)), /set up/);
  },
});

/** What a bubblewrap might mount besides what it was asked for, and what is said of that. */
const MOUNTED_BESIDES: Readonly<Record<string, readonly [options: string, refusal: RegExp]>> = {
  "something writable": ["--bind $BASE/other $BASE/other", /other' could be written in it/],
  "another directory over the workspace": [
    "--bind $BASE/other $BASE/ws",
    /ws' has become something else meanwhile/,
  ],
  "what is protected, writable": [
    "--bind $BASE/ws/.git $BASE/ws/.git",
    /\.git' could be written in it/,
  ],
};

for (const [what, [options, refusal]] of Object.entries(MOUNTED_BESIDES)) {
  Deno.test({
    name: `sandbox: a bubblewrap that mounts ${what}`,
    ignore: !canRunBubblewrap,
    fn: async () => {
      using directory = new TemporaryDirectory();
      for (const name of ["other", "ws", "ws/.git"]) Deno.mkdirSync(`${directory.path}/${name}`);
      const more = options.replaceAll("$BASE", directory.path);
      const script = `case $1 in --args) list=$2; shift 2;
        exec /usr/bin/bwrap --args "$list" ${more} "$@";; esac; exec /usr/bin/bwrap "$@"`;
      const machine = withBubblewrap(directory, script);
      assertMatch(await refusalOn(directory, machine), refusal);
    },
  });
}
