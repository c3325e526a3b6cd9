import { assert, assertEquals, assertObjectMatch, assertStringIncludes } from "@std/assert";
import { testWebSocket } from "./support/both_transports.ts";
import { command, run } from "./support/commands.ts";
import { ListeningExecutor } from "./support/executor.ts";
import type { Message } from "./support/inbox.ts";
import type { RawClient } from "./support/raw_client.ts";
import { connectWebSocket } from "./support/websocket_client.ts";
import { canLimitMemory } from "../support/memory_group.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { enclosedIn, testSandboxed } from "./sandbox/support/sandboxed.ts";

const ignore = Deno.build.os === "windows";

const PROFILE = `echo noise; echo ran >> "$HOME/runs"
export FROM_PROFILE='two
lines' PATH="/extra:$PATH" GIVEN=profile; unset GONE; not_exported=1
umask 027; shopt -s extglob expand_aliases; set -o noclobber
greet() { case "$1" in @(a|b)) echo "hello $1";; esac; }
alias hi='greet a'
`;

const TOLD = `greet b
hi
echo "$FROM_PROFILE|$not_exported|$GIVEN|\${GONE-gone}|\${PATH%%:*}|$0|$*"
umask; shopt -q extglob && echo extglob; [[ $- == *C* ]] && echo noclobber
env | grep -c REMEX_SHELL
`;

function login(
  id: string,
  home: string,
  more: Message = {},
  env: Message = {},
  script = TOLD,
): Message {
  return command(id, ["/bin/bash", "-lc", script, "zero", "one"], {
    env: { HOME: home, PATH: "/usr/bin:/bin", GONE: "here", ...env },
    shellSnapshot: { scopeId: "s", shell: { name: "bash", path: "/bin/bash" } },
    ...more,
  });
}

function runs(home: string): number {
  return Deno.readTextFileSync(`${home}/runs`).split("\n").length - 1;
}

/** What the script tells, but for what differs in all cases. */
async function told(client: RawClient, start: Message): Promise<string> {
  const { stdout, stderr } = await run(client, start);
  assertEquals(stderr, "");
  return stdout.replace("noise\n", "");
}

function testShell(name: string, body: (client: RawClient, home: string) => Promise<void>): void {
  if (ignore) return;
  testWebSocket(name, async ({ open }) => {
    using directory = new TemporaryDirectory();
    directory.write(".bash_profile", PROFILE, 0o644);
    await using client = await open();
    await body(client, directory.path);
  });
}

testShell("a shell begins where its startup files end, which run once", async (client, home) => {
  const plain = await told(client, login("plain", home, { shellSnapshot: null }));
  assertEquals(runs(home), 1);
  // Variables that are not exported are the startup files' own; PATH and GONE are the client's.
  const expected = plain.replace("lines|1|", "lines||").replace("|/extra|", "|/usr/bin|")
    .replace("|profile|gone|", "|profile|here|");
  assertStringIncludes(
    expected,
    "hello b\nhello a\ntwo\nlines||profile|here|/usr/bin|zero|one\n0027\n",
  );
  for (const id of ["first", "second", "third"]) {
    assertEquals(await told(client, login(id, home)), expected);
    assertEquals(runs(home), 2);
  }
});

testShell("a client's own variables stay what it says", async (client, home) => {
  for (const given of ["1", "2"]) {
    const stdout = await told(client, login(given, home, {}, { GIVEN: given }));
    assertStringIncludes(stdout, `lines||${given}|here|`);
  }
  assertEquals(runs(home), 1);
});

testShell("startup files run again for others, and when they change", async (client, home) => {
  await told(client, login("1", home));
  await told(client, login("2", home, { cwd: `file://${home}` }));
  const shell = { name: "bash", path: "/bin/bash" };
  await told(client, login("3", home, { shellSnapshot: { scopeId: "other", shell } }));
  assertEquals(runs(home), 3);
  Deno.writeTextFileSync(`${home}/.bash_profile`, `${PROFILE}export FROM_PROFILE=new\n`);
  Deno.utimeSync(`${home}/.bash_profile`, 1, 1);
  assertStringIncludes(await told(client, login("4", home)), "new||profile|here|");
  assertEquals(runs(home), 4);
});

testShell("what is no login shell, or none that is known, runs as it is", async (client, home) => {
  const shells = [["zsh", "/bin/zsh"], ["bash", "/usr/local/bin/bash"]] as const;
  for (const [name, path] of shells) {
    const shellSnapshot = { scopeId: "s", shell: { name, path } };
    assertStringIncludes(await told(client, login(path, home, { shellSnapshot })), "lines|1|");
  }
  const argv = ["/bin/bash", "-c", "echo $FROM_PROFILE"];
  assertEquals(await told(client, { ...login("c", home), argv }), "\n");
});

testShell(
  "startup files that fail, or never end, are run for each command",
  async (client, home) => {
    for (const end of ["exit 3", "env() { false; }"]) {
      Deno.writeTextFileSync(`${home}/.bash_profile`, `echo ran >> "$HOME/runs"; ${end}\n`);
      const { stdout } = await run(client, login(end, home, {}, {}, "echo done"));
      assertEquals(stdout, end === "exit 3" ? "" : "done\n");
    }
  },
);

testShell("a scope has a name", async (client, home) => {
  const shell = { name: "bash", path: "/bin/bash" };
  for (const shellSnapshot of [{ scopeId: "", shell }, { scopeId: "x".repeat(257), shell }, {}]) {
    const answer = await client.request("process/start", login("p", home, { shellSnapshot }));
    assertObjectMatch(answer, { error: { code: -32602 } });
  }
});

testSandboxed("startup files run within the command's sandbox", async (scene) => {
  const { client, workspace, outside } = scene;
  Deno.writeTextFileSync(
    `${workspace}/.bash_profile`,
    `{ echo x > "${outside}/planted"; } 2>/dev/null; export FROM_PROFILE=1\n`,
  );
  for (const id of ["1", "2"]) {
    const start = login(id, workspace, enclosedIn(workspace), {}, "echo $FROM_PROFILE");
    const { stdout } = await run(client, start);
    assertEquals(stdout, "1\n");
  }
  assert([...Deno.readDirSync(outside)].every(({ name }) => name !== "planted"));
});

Deno.test({
  name: "startup files run within the command's limits",
  ignore: ignore || !canLimitMemory,
  fn: async () => {
    using directory = new TemporaryDirectory();
    const profile = `cat /proc/self/cgroup >> "$HOME/groups"`;
    directory.write(".bash_profile", profile, 0o644);
    await using executor = await ListeningExecutor.start({}, ["--command-limits", "processes=50"]);
    await using client = await connectWebSocket(executor.url);
    await client.initialize();
    const script = "cat /proc/self/cgroup";
    const { stdout } = await run(client, login("c", directory.path, {}, {}, script));
    assertEquals(Deno.readTextFileSync(`${directory.path}/groups`), stdout);
    assert(stdout !== Deno.readTextFileSync("/proc/self/cgroup"));
  },
});
