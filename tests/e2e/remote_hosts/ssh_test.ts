import { assert, assertEquals, assertMatch } from "@std/assert";
import { ExecRun, execToEnd } from "../support/exec_run.ts";
import { REMEX_BIN } from "../support/executor.ts";
import { eventually } from "../../support/patience.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { numbered } from "../recovery/support/work.ts";
import { processesWith, SshHost, testWithSsh } from "./support/ssh_host.ts";

testWithSsh(
  "exec --ssh: the first use puts remex there, the next ones find it and its executor",
  async () => {
    await using host = await SshHost.start();
    const command = ["--", "sh", "-c", "pwd; umask; echo $PPID; cat; exit 3"];
    const first = await execToEnd([...host.options, ...command], "input\n");
    assertEquals({ code: first.code, stderr: first.stderr }, { code: 3, stderr: "" });
    const [cwd, mask, executor, input] = first.stdout.split("\n");
    assertEquals([cwd, mask, input], [host.home, umask(), "input"]);
    const [program = "", socket = ""] = host.cache;
    assertMatch(program, /^remex-\d+\.\d+\.\d+-[0-9a-f]{16}$/);
    assertMatch(socket, /\.sock$/);
    const { mtime } = Deno.statSync(`${host.home}/.cache/remex`);
    const second = await execToEnd([...host.options, "--", "sh", "-c", "echo $PPID"]);
    assertEquals(second, { code: 0, stdout: `${executor}\n`, stderr: "" });
    assertEquals(Deno.statSync(`${host.home}/.cache/remex`).mtime, mtime);
    for (const name of host.cache) {
      const { mode } = Deno.lstatSync(`${host.home}/.cache/remex/${name}`);
      assertEquals((mode ?? 0) & 0o077, 0, name);
    }
  },
);

/** Writes the ends of each connection that something is called through. */
function noted(path: string): string[] {
  return [`ForceCommand echo "$SSH_CONNECTION" >>${path}; eval "$SSH_ORIGINAL_COMMAND"`];
}

/** How many connections those were, and how many calls. */
function callsNoted(path: string): { readonly calls: number; readonly connections: number } {
  const lines = Deno.readTextFileSync(path).trimEnd().split("\n");
  return { calls: lines.length, connections: new Set(lines).size };
}

testWithSsh(
  "exec --ssh: calls of ssh share a connection, unless its configuration says otherwise",
  async () => {
    using directory = new TemporaryDirectory();
    const notes = `${directory.path}/notes`;
    await using host = await SshHost.start({ prepared: true, settings: noted(notes) });
    const run = async (...args: string[]) => {
      const ran = await execToEnd([
        "--ssh",
        "there",
        "--ssh-command",
        ...args,
        "--",
        "echo",
        "there",
      ]);
      assertEquals(ran, { code: 0, stdout: "there\n", stderr: "" });
    };
    for (let call = 0; call < 3; call++) await run(host.sshCommand);
    assertEquals(callsNoted(notes), { calls: 3, connections: 1 });
    await run(`${host.sshCommand} -S none`);
    assertEquals(callsNoted(notes), { calls: 4, connections: 2 });
    // The configuration's own.
    const own = `${directory.path}/own`;
    const settings = `-o ControlMaster=auto -o ControlPath=${own} -o ControlPersist=yes`;
    for (let call = 0; call < 2; call++) await run(`${host.sshCommand} ${settings}`);
    assertEquals(callsNoted(notes), { calls: 6, connections: 3 });
    const [program = "", ...args] = host.sshCommand.split(" ");
    await new Deno.Command(program, { args: [...args, "-S", own, "-O", "exit", "there"] }).output();
  },
);

testWithSsh("exec --ssh: a shared connection that is dead is left for another", async () => {
  await using host = await SshHost.start({ prepared: true });
  const args = [...host.options, "--", "echo", "there"];
  const expected = { code: 0, stdout: "there\n", stderr: "" };
  assertEquals(await execToEnd(args), expected);
  const dead = host.connections;
  for (const pid of dead) Deno.kill(pid, "SIGSTOP");
  try {
    assertEquals(await execToEnd(args), expected);
  } finally {
    for (const pid of dead) Deno.kill(pid, "SIGKILL");
  }
});

testWithSsh("exec --ssh: two clients at once on a bare host", async () => {
  await using host = await SshHost.start();
  const runs = await Promise.all(
    [1, 2].map(() => execToEnd([...host.options, "--", "sh", "-c", "echo $PPID"])),
  );
  for (const run of runs) assertEquals({ ...run, stdout: "" }, { code: 0, stdout: "", stderr: "" });
  assertEquals(new Set(runs.map(({ stdout }) => stdout)).size, 1);
  assertEquals(host.cache.length, 2, host.cache.join());
  // Neither has replaced the program that the other had started already.
  const [program = ""] = host.cache;
  const [executor = ""] = runs.map(({ stdout }) => stdout.trim());
  assertEquals(Deno.readLinkSync(`/proc/${executor}/exe`), `${host.home}/.cache/remex/${program}`);
});

testWithSsh("exec --ssh: ssh is killed over and over while 3000 lines come", async () => {
  await using host = await SshHost.start({ prepared: true });
  const talk = "n=0; while [ $n -lt 30 ]; do seq $((n * 100 + 1)) $(((n + 1) * 100)); " +
    "n=$((n + 1)); read -r go; done; exit 5";
  await using run = new ExecRun([...host.options, "--", "sh", "-c", talk]);
  for (let part = 1; part <= 30; part++) {
    await run.says(new RegExp(`^${part * 100}$`, "m"));
    if (part % 6 === 0) killSsh(host);
    await run.write("go\n");
  }
  assertEquals(await run.end(), 5);
  assert(run.stdout === numbered(1, 3000), "every line once and in order");
  for (const line of run.stderr.trimEnd().split("\n")) assertMatch(line, /^remex: .*reconnecting$/);
});

/** What leads from ssh to the executor on a host, by a word of its command line. */
const WAYS = { "a bridge": "bridge", "the host's perl": "-e" };

for (const [name, way] of Object.entries(WAYS)) {
  testWithSsh(
    `exec --ssh: a client that was stopped for longer than anybody is missed goes on, by ${name}`,
    async () => {
      await using host = await SshHost.start({ prepared: true });
      // The first connection starts the executor, and so needs the program.
      if (way !== "bridge") await execToEnd([...host.options, "--", "true"]);
      await using run = new ExecRun([
        ...[...host.options, "--"],
        ...["sh", "-c", "echo ready; read -r x; echo $x"],
      ]);
      await run.says(/ready/);
      const ways = () =>
        Object.values(WAYS).filter((word) => processesWith(host.home, word).length > 0);
      assertEquals(ways(), [way]);
      run.signal("SIGSTOP");
      await eventually(() => ways().length === 0, "the host to take the client for gone");
      run.signal("SIGCONT");
      await run.write("still here\n");
      await run.says(/still here/);
      assertEquals(await run.end(), 0);
    },
  );
}

testWithSsh("exec --ssh: much output and much input at once, without a program there", async () => {
  await using host = await SshHost.start({ prepared: true });
  await execToEnd([...host.options, "--", "true"]);
  const text = numbered(1, 600_000);
  const run = await execToEnd([...host.options, "--", "cat"], text);
  assertEquals({ code: run.code, stderr: run.stderr }, { code: 0, stderr: "" });
  assert(run.stdout === text, "what went in came out");
});

/** What a host may have in the place of perl. */
const NO_PERL = {
  "without perl": undefined,
  "with a perl that does not run": "#!/bin/sh\necho cannot load >&2; exit 255\n",
};

for (const [what, perl] of Object.entries(NO_PERL)) {
  testWithSsh(`exec --ssh: a host ${what} is reached by the program there`, async () => {
    using tools = new TemporaryDirectory();
    for (const { name } of Deno.readDirSync("/usr/bin")) {
      if (name !== "perl") Deno.symlinkSync(`/usr/bin/${name}`, `${tools.path}/${name}`);
    }
    if (perl !== undefined) tools.write("perl", perl, 0o755);
    const settings = [`ForceCommand export PATH=${tools.path}; eval "$SSH_ORIGINAL_COMMAND"`];
    await using host = await SshHost.start({ prepared: true, settings });
    for (const text of ["first", "second"]) {
      const run = await execToEnd([...host.options, "--", "/bin/echo", text]);
      assertEquals(run, { code: 0, stdout: `${text}\n`, stderr: "" });
    }
  });
}

testWithSsh(
  "exec --ssh: an executor that is killed ends its session, and the next command gets another",
  async () => {
    await using host = await SshHost.start({ prepared: true });
    await using run = new ExecRun([...host.options, "--", "sh", "-c", "echo ready; exec sleep 60"]);
    await run.says(/ready/);
    host.killExecutors();
    assertEquals(await run.end(), 255);
    assertMatch(run.stderr, /no longer knows the session.*\n$/);
    const next = await execToEnd([...host.options, "--", "echo", "again"]);
    assertEquals(next, { code: 0, stdout: "again\n", stderr: "" });
  },
);

testWithSsh("exec --ssh: a program under the name that is another is replaced", async () => {
  await using host = await SshHost.start({ prepared: true });
  const path = `${host.home}/.cache/remex/${host.cache[0]}`;
  Deno.writeTextFileSync(path, "#!/bin/sh\necho I am another\n");
  const run = await execToEnd([...host.options, "--", "echo", "hi"]);
  assertEquals(run, { code: 0, stdout: "hi\n", stderr: "" });
});

testWithSsh(
  "exec --ssh: where the program cannot be written whole, nothing of it is left",
  async () => {
    const settings = ['ForceCommand ulimit -f 1000; eval "$SSH_ORIGINAL_COMMAND"'];
    await using host = await SshHost.start({ settings });
    const run = await execToEnd([...host.options, "--", "true"]);
    assertEquals({ code: run.code, stdout: run.stdout }, { code: 255, stdout: "" });
    assertMatch(run.stderr, /^remex: .*could not be written there: .*\n$/);
    assertEquals(host.cache, []);
  },
);

testWithSsh(
  "exec --ssh: a home where nothing may be written or run: another place is taken",
  async () => {
    using directory = new TemporaryDirectory();
    directory.write("home/.cache", "not a directory", 0o400);
    // What is put into the other place goes with the last that runs there.
    const settings = [
      'ForceCommand bwrap --dev-bind / / --tmpfs /var/tmp sh -c "$SSH_ORIGINAL_COMMAND"',
    ];
    await using host = await SshHost.start({ home: `${directory.path}/home`, settings });
    const run = await execToEnd([...host.options, "--", "sh", "-c", "readlink /proc/$PPID/exe"]);
    assertEquals({ code: run.code, stderr: run.stderr }, { code: 0, stderr: "" });
    assertMatch(run.stdout, new RegExp(`^/var/tmp/remex-${Deno.uid()}/remex-.*\n$`));
    const executor = run.stdout.trim();
    for (const pid of processesWith(executor, "serve")) Deno.kill(pid, "SIGKILL");
  },
);

testWithSsh(
  "exec --ssh: a host that cannot be reached is told of by ssh's own words, once",
  async () => {
    await using host = await SshHost.start();
    const nobody = ["--ssh", "nobody@there:1", "--ssh-command", host.sshCommand];
    const run = await execToEnd([...nobody, "--", "true"]);
    assertEquals({ code: run.code, stdout: run.stdout }, { code: 255, stdout: "" });
    assertMatch(
      run.stderr,
      /^ssh: connect to host .*refused\r?\nremex: .*ssh ended with exit code 255\n$/,
    );
  },
);

testWithSsh("exec --ssh: a host without a shell is told of by its own words", async () => {
  await using host = await SshHost.start({ settings: ["ForceCommand echo no shell here"] });
  const run = await execToEnd([...host.options, "--", "true"]);
  assertEquals({ code: run.code, stdout: run.stdout }, { code: 255, stdout: "" });
  assertMatch(
    run.stderr,
    /^remex: .*ssh ended with exit code 0, and the host said: no shell here\n$/,
  );
  assertEquals(host.cache, []);
});

testWithSsh("exec --ssh: a program that does not run there leaves nothing behind", async () => {
  await using host = await SshHost.start();
  using directory = new TemporaryDirectory();
  const binary = directory.write("remex", "#!/bin/sh\necho not for this machine; exit 1\n", 0o755);
  const run = await execToEnd([...host.options, "--binary", binary, "--", "true"]);
  assertEquals({ code: run.code, stdout: run.stdout }, { code: 255, stdout: "" });
  assertMatch(run.stderr, /^remex: .*does not run there: not for this machine\n$/);
  assertEquals(host.cache, []);
});

testWithSsh("exec --ssh: a cut in the middle of the upload leaves nothing behind", async () => {
  await using host = await SshHost.start();
  await using run = new ExecRun([...host.options, "--", "true"]);
  await eventually(() => host.cache.some((name) => name.startsWith(".upload")), "the upload");
  killSsh(host);
  assertEquals(await run.end(), 255);
  await eventually(() => host.cache.length === 0, `nothing left, but ${host.cache}`);
});

testWithSsh("bridge --ssh: a program that speaks the protocol reaches the host", async () => {
  await using host = await SshHost.start({ prepared: true });
  const via = `'${REMEX_BIN}' bridge --ssh there --ssh-command '${host.sshCommand}'`;
  const run = await execToEnd(["--via", via, "--", "pwd"]);
  assertEquals(run, { code: 0, stdout: `${host.home}\n`, stderr: "" });
});

Deno.test("exec --ssh: what is no host is refused", async () => {
  for (const text of ["-oProxyCommand=touch", "a b", "host:99999", "u@-x", ""]) {
    const run = await execToEnd([`--ssh=${text}`, "--", "true"]);
    assertEquals(run.code, 2);
    assertMatch(run.stderr, /^remex: --ssh: `.*` is not \[USER@\]HOST\[:PORT\]\n$/);
  }
  const run = await execToEnd(["--stdio", "--binary", "x", "--", "true"]);
  assertMatch(run.stderr, /^remex: --binary is of use with --ssh only\n$/);
});

/** The commands of ssh that lead to a host, as they are here. */
function killSsh(host: SshHost): void {
  for (const pid of processesWith(`${host.directory.path}/ssh`, "-T")) Deno.kill(pid, "SIGKILL");
}

/** The usual one, as four digits. */
function umask(): string {
  return `0${(Deno.umask()).toString(8).padStart(3, "0")}`;
}
