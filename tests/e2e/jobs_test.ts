import { assert, assertEquals, assertMatch } from "@std/assert";
import { exists, isAlive } from "./support/files.ts";
import { ExecRun } from "./support/exec_run.ts";
import { ended, remex, REMEX_BIN } from "./support/executor.ts";
import { JobScene } from "./support/job_scene.ts";
import { Terminal } from "./support/terminal.ts";
import { connectWebSocket } from "./support/websocket_client.ts";
import { FaultyPath } from "../support/faulty_path.ts";
import { eventually } from "../support/patience.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { dirname } from "node:path/posix";

/** Beats for as long as there is no file `go`. */
const BEATING = "while [ ! -e go ]; do echo x >>beats; sleep 0.05; done";

Deno.test("a job outlives the time that sessions wait for their clients", async () => {
  await using scene = await JobScene.start(["--session-retention", "0.1"]);
  const { path } = scene.directory;
  await scene.detach("night", `echo begun; ${BEATING}; echo ended; echo why >&2; exit 7`);
  await beats(path, 10);
  assertEquals(await scene.listed(), ["night running"]);
  const following = scene.run("logs", "-f", "night");
  Deno.writeTextFileSync(`${path}/go`, "");
  assertEquals(await following, { code: 0, stdout: "begun\nended\n", stderr: "why\n" });
  const attached = await scene.run("attach", "night");
  assertEquals({ code: attached.code, stdout: attached.stdout }, { code: 7, stdout: "" });
  assertMatch(
    attached.stderr,
    /^remex: night has ended; `remex logs night` shows what it wrote\n$/,
  );
  assertEquals(await scene.run("rm", "night"), nothing());
  assertEquals([await scene.listed(), [...Deno.readDirSync(scene.handles)]], [[], []]);
});

/** Waits until a script has beaten so often, 50 ms between two beats. */
async function beats(directory: string, count: number): Promise<void> {
  const file = `${directory}/beats`;
  await eventually(() => exists(file) && Deno.statSync(file).size >= 2 * count, "beats");
}

Deno.test("an executor that ends when it is idle lives as long as it has a job, ended or not", async () => {
  await using scene = await JobScene.start();
  const { path } = scene.directory;
  const via = ["--via", `'${REMEX_BIN}' bridge --spawn 0.2 'unix:${path}/socket'`];
  const job = [
    "exec",
    "--detach",
    ...via,
    "--cwd",
    path,
    "--",
    "sh",
    "-c",
    `echo $PPID; ${BEATING}`,
  ];
  assertEquals(await scene.run(...job), { code: 0, stdout: "sh-1\n", stderr: "" });
  await beats(path, 10);
  Deno.writeTextFileSync(`${path}/go`, "");
  const { stdout: executor } = await scene.run("logs", "-f", "sh-1");
  assertEquals(await scene.listed(), ["sh-1 ended 0"]);
  assertEquals(await scene.run("rm", "sh-1"), nothing());
  await eventually(() => !isAlive(executor.trim()), "the executor to end");
});

Deno.test("all of a job's output is there in the morning, and on no disk when the executor is killed", async () => {
  await using scene = await JobScene.start();
  await scene.detach("much", "seq 1 700000; exit 3");
  const { code, stdout } = await scene.run("logs", "-f", "much");
  assertEquals(code, 0);
  assert(stdout === Array.from({ length: 700_000 }, (_, index) => `${index + 1}\n`).join(""));
  const output = `${scene.directory.path}/cache/remex/output`;
  assertEquals([...Deno.readDirSync(output)], []);
  const { mode } = Deno.statSync(output);
  assertEquals((mode ?? 0) & 0o077, 0);
  await scene.executor.endBy("SIGKILL");
  assertEquals([...Deno.readDirSync(output)], []);
});

Deno.test("of more output than may be kept the newest is, and what is missing is told", async () => {
  await using scene = await JobScene.start(["--retain-on-disk", "2000000"]);
  await scene.detach("much", "seq 1 1000000");
  await eventually(async () => (await scene.listed())[0] === "much ended 0", "its end");
  const { code, stdout, stderr } = await scene.run("logs", "much");
  assertEquals({ code, stderr }, {
    code: 0,
    stderr: "remex: output is missing here: it was dropped\n",
  });
  assert(stdout.endsWith("\n999999\n1000000\n"));
  assert(stdout.length > 1_000_000 && stdout.length < 2_400_000, `${stdout.length} bytes`);
});

Deno.test("who is attached and who reads get all of a job, over connections that break", async () => {
  await using scene = await JobScene.start();
  await using path = new FaultyPath(scene.executor.url, () => ({}));
  const script = `${BEATING}; echo out; echo err >&2; exit 9`;
  await scene.detach("build", script, "--url", path.url);
  const attached = scene.run("attach", "build");
  // Each has a handshake and a session first.
  await eventually(() => (path.traffic[1]?.toClient ?? 0) >= 4, "the job to be followed");
  const followed = scene.run("logs", "-f", "build");
  await eventually(() => (path.traffic[2]?.toServer ?? 0) >= 4, "a read that waits");
  path.cutAll();
  assertEquals(await scene.listed(), ["build running"]);
  Deno.writeTextFileSync(`${scene.directory.path}/go`, "");
  const [attachedRun, followedRun] = [await attached, await followed];
  assertEquals([attachedRun.code, attachedRun.stdout], [9, "out\n"]);
  assertEquals([followedRun.code, followedRun.stdout], [0, "out\n"]);
  for (const { stderr } of [attachedRun, followedRun]) {
    assertMatch(stderr, /^(remex: .*; reconnecting\n)+err\n$/);
  }
});

function handle(scene: JobScene, name: string): Record<string, unknown> {
  return JSON.parse(Deno.readTextFileSync(`${scene.handles}/${name}.json`));
}

Deno.test("signals, the end of a running job, and a command that ends with its time", async () => {
  await using scene = await JobScene.start();
  const trap = "trap 'echo interrupted' INT; echo ready; while :; do sleep 0.05; done";
  await scene.detach("stubborn", trap, "--timeout", "3600");
  await eventually(
    async () => (await scene.run("logs", "stubborn")).stdout !== "",
    "its first word",
  );
  assertEquals(await scene.run("kill", "--signal", "INT", "stubborn"), nothing());
  await eventually(
    async () => (await scene.run("logs", "stubborn")).stdout === "ready\ninterrupted\n",
    "the handler of the signal",
  );
  const running = await scene.run("rm", "stubborn");
  assertEquals(running.code, 1);
  assertMatch(running.stderr, /^remex: stubborn is running; `remex kill stubborn` or .*\n$/);
  assertEquals(await scene.run("kill", "-s", "9", "stubborn"), nothing());
  await eventually(async () => (await scene.listed())[0] === "stubborn ended 137", "its end");
  const again = await scene.run("kill", "stubborn");
  assertEquals(again, { code: 1, stdout: "", stderr: "remex: stubborn has ended already\n" });
  await scene.detach("endless", "exec sleep 3600");
  assertEquals(await scene.run("rm", "-f", "stubborn", "endless"), nothing());
  await scene.detach("slow", "exec sleep 3600", "--timeout", "0.05");
  await eventually(async () => (await scene.listed())[0] === "slow ended 124", "its end");
});

function nothing(): { code: number; stdout: string; stderr: string } {
  return { code: 0, stdout: "", stderr: "" };
}

Deno.test("a name that is taken or wrong, or a command that does not start: nothing is left", async () => {
  await using scene = await JobScene.start();
  await scene.detach("one", "exec sleep 3600");
  const touch = ["--", "touch", "touched"];
  const taken = await scene.run(...scene.detached("one"), ...touch);
  assertEquals({ code: taken.code, stdout: taken.stdout }, { code: 125, stdout: "" });
  assertMatch(taken.stderr, /^remex: there is a job one already; choose another --name, or .*\n$/);
  const missing = await scene.run(...scene.detached("two"), "--", "/nonexistent");
  assertEquals({ code: missing.code, stdout: missing.stdout }, { code: 127, stdout: "" });
  const wrong: [string[], RegExp][] = [
    [scene.detached("../one"), /--name: `\.\.\/one` is not a letter or digit/],
    [scene.detached("two", "--retention", "0"), /--retention: `0` is not a number of seconds/],
    [["exec", "--detach", "--stdio"], /the executor of --stdio ends with this program/],
    [["exec", "--name", "two", "--stdio"], /--name is of use with --detach only/],
  ];
  for (const [args, words] of wrong) {
    const run = await scene.run(...args, ...touch);
    assertEquals({ code: run.code, stdout: run.stdout }, { code: 2, stdout: "" });
    assertMatch(run.stderr, words);
  }
  assertEquals(await scene.listed(), ["one running"]);
  assertEquals(exists(`${scene.directory.path}/touched`), false);
});

Deno.test("a handle that is gone, damaged or open to others is told of in a line", async () => {
  await using scene = await JobScene.start();
  const unknown = await scene.run("attach", "none");
  assertEquals(unknown.code, 1);
  assertMatch(unknown.stderr, /^remex: there is no job none; `remex jobs` lists them\n$/);
  await scene.detach("open", "exec sleep 3600");
  await scene.detach("forgotten", "exec sleep 3600");
  await scene.detach("restarted", "exec sleep 3600");
  Deno.chmodSync(`${scene.handles}/open.json`, 0o644);
  const { sessionId } = handle(scene, "forgotten");
  await using client = await connectWebSocket(scene.executor.url);
  await client.initialize();
  await client.request("session/end", { sessionId });
  Deno.writeTextFileSync(`${scene.handles}/damaged.json`, "{", { mode: 0o600 });
  assertEquals((await scene.listed()).sort(), [
    "damaged damaged",
    "forgotten gone",
    "open damaged",
    "restarted running",
  ]);
  for (const command of ["attach", "logs", "kill"]) {
    const gone = await scene.run(command, "forgotten");
    assertEquals({ code: gone.code, stdout: gone.stdout }, { code: 255, stdout: "" });
    assertMatch(gone.stderr, /^remex: forgotten is gone: the executor on 127.0.0.1:\d+ was .*\n$/);
  }
  const open = await scene.run("attach", "open");
  assertEquals(open.code, 1);
  assertMatch(open.stderr, /^remex: other users can get at .*open.json, .* use chmod 600\n$/);
  assertEquals(await scene.run("rm", "forgotten"), nothing());
  assertEquals((await scene.run("rm", "--force", "damaged")).code, 0);
  const tokenless = { ...handle(scene, "restarted"), name: "tokenless" };
  const executor = { kind: "url", url: scene.executor.url, tokenFile: "/nonexistent/token" };
  scene.directory.write(
    "state/remex/jobs/tokenless.json",
    JSON.stringify({ ...tokenless, executor }),
    0o600,
  );
  await scene.executor.endBy("SIGKILL");
  const lost = await scene.run("rm", "restarted");
  assertEquals(lost.code, 255);
  assertMatch(
    lost.stderr,
    /^remex: .*; `remex rm --force restarted` forgets the job here alone\n$/,
  );
  assertEquals((await scene.listed()).sort(), [
    "open damaged",
    "restarted unreachable",
    "tokenless unreachable",
  ]);
  const forced = await scene.run("rm", "--force", "restarted", "tokenless");
  assertEquals({ code: forced.code, stdout: forced.stdout }, { code: 0, stdout: "" });
  assertMatch(forced.stderr, /cannot read \/nonexistent\/token: .*; tokenless is forgotten here/);
});

Deno.test("an executor that ends with its connection cannot keep a job, and none is left", async () => {
  await using scene = await JobScene.start();
  const via = ["--via", `'${REMEX_BIN}' serve --listen stdio --grace 0`, "--cwd", "/"];
  const run = await scene.run("exec", "--detach", ...via, "--", "sleep", "3600");
  assertEquals({ code: run.code, stdout: run.stdout }, { code: 255, stdout: "" });
  assertMatch(run.stderr, /^remex: the executor behind --via ends with the connection, .*\n$/);
  assertEquals(await scene.listed(), []);
});

Deno.test({
  name: "kill, rm and jobs: Ctrl-C while ssh waits for somebody ends them, and ssh",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    using directory = new TemporaryDirectory();
    const { path } = directory;
    directory.write(
      "ssh",
      `echo $$ >'${path}/new'; mv '${path}/new' '${path}/pid'; exec sleep 600`,
    );
    const program = { name: "remex-1", size: 1 };
    const executor = { kind: "ssh", host: "there", sshCommand: `sh '${path}/ssh'`, program };
    const id = { sessionId: "session", processId: "process" };
    const job = { name: "job", executor, ...id, command: ["x"], tty: false, startedAt: 0 };
    const handle = directory.write("remex/jobs/job.json", JSON.stringify(job), 0o600);
    Deno.chmodSync(dirname(handle), 0o700);
    for (const command of [["kill", "job"], ["rm", "--force", "job"], ["jobs"]]) {
      const child = remex(command, { stderr: "piped", env: { XDG_STATE_HOME: path } });
      const said = new Response(child.stderr).text();
      await eventually(() => exists(`${path}/pid`), "ssh");
      const pid = Deno.readTextFileSync(`${path}/pid`).trim();
      Deno.removeSync(`${path}/pid`);
      child.kill("SIGINT");
      const { code, signal } = await ended(child);
      assertEquals({ code, signal, said: await said }, { code: 130, signal: null, said: "" });
      await eventually(() => !isAlive(pid), "the end of ssh");
      await Promise.all([child.stdin.abort().catch(() => {}), child.stdout.cancel()]);
    }
    assert(exists(handle));
  },
});

Deno.test("a job that may have been started is remembered until that is known", async () => {
  await using scene = await JobScene.start();
  let broken = true;
  // A handshake and a session come before the request that starts it.
  const start = { direction: "toServer", unit: 3, kind: { kind: "cut", where: "after" } } as const;
  const handshake = { ...start, unit: 0, kind: { kind: "cut", where: "before" } } as const;
  let first = true;
  await using path = new FaultyPath(scene.executor.url, () => {
    const faults = first ? [start] : broken ? [handshake] : [];
    first = false;
    return { faults };
  });
  const job = (name: string, seconds: string) => [
    ...scene.detached(name, "--reconnect-timeout", seconds).map((word) =>
      word === scene.executor.url ? path.url : word
    ),
    ...["--", "sleep", "3600"],
  ];
  const lost = await scene.run(...job("lost", "0.2"));
  assertEquals({ code: lost.code, stdout: lost.stdout }, { code: 255, stdout: "" });
  assertMatch(lost.stderr, /^remex: lost may be running; `remex jobs` tells$/m);

  first = true;
  await using run = new ExecRun(job("given-up", "600").slice(1), scene.env);
  await run.says(/reconnecting/, "stderr");
  run.signal("SIGINT");
  assertEquals(await run.end(), 130);
  assertMatch(run.stderr, /^remex: given-up may be running; `remex jobs` tells$/m);

  broken = false;
  assertEquals(await scene.listed(), ["lost running", "given-up running"]);
  first = true;
  const restored = await scene.run(...job("restored", "600"));
  assertEquals({ code: restored.code, stdout: restored.stdout }, { code: 255, stdout: "" });
  assertEquals(await scene.listed(), ["lost running", "given-up running"]);
});

Deno.test("an administrator says how long a job may be kept at the most", async () => {
  await using scene = await JobScene.start(["--max-session-retention", "60"]);
  const run = await scene.run(...scene.detached("short"), "--", "true");
  assertEquals(run, {
    code: 0,
    stdout: "short\n",
    stderr: "remex: the executor keeps short for 60 s while nobody is attached\n",
  });
});

/** What serves all terminals of a program lives as long as the program. */
function testOnTerminal(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

/**
 * A command on a terminal that tells of its size when that changes, and of what is typed. bash loses a
 * signal that comes while it handles another of its kind, so the handler does next to nothing.
 */
const TELLING = [
  ...["bash", "-c"],
  "trap changed=1 WINCH; trap 'echo caught' INT; echo ready; while :; do " +
  'if read -r -t 0.1 line; then [ "$line" = end ] && exit 5; echo got $line; fi; ' +
  "if [ $changed ]; then changed=; stty size; fi; done",
];

testOnTerminal(
  "a job on a terminal is left and found again, with the new terminal's size",
  async () => {
    await using scene = await JobScene.start();
    const start = [...scene.detached("shell", "--tty"), "--", ...TELLING];
    assertEquals(await scene.run(...start), { code: 0, stdout: "shell\n", stderr: "" });
    await eventually(
      async () => (await scene.run("logs", "shell")).stdout !== "",
      "its first word",
    );
    using first = await Terminal.run(["attach", "shell"], scene.env);
    await first.shows(/30 100/);
    await first.types("hello\r");
    await first.shows(/got hello/);
    await first.types("\x03");
    await first.shows(/caught/);
    await first.resizes(20, 60);
    await first.shows(/20 60/);
    await first.types("\x10\x11");
    await first.endsWith(0);
    assertMatch(first.text, /remex: shell runs on; `remex attach shell` comes back to it\r\n/);
    using second = await Terminal.run(["attach", "--detach-keys", "ctrl-b,d", "shell"], scene.env);
    await second.shows(/30 100/);
    await second.types("\x02x and \x02y\r");
    await second.shows(/got .*x and .*y/);
    using third = await Terminal.run(["attach", "shell"], scene.env);
    await third.shows(/30 100/);
    await second.shows(/remex: another client has taken over the session\r\n/);
    await second.endsWith(255);
    third.signals("SIGHUP");
    await third.endsWith(129);
    using fourth = await Terminal.run(["attach", "shell"], scene.env);
    await fourth.shows(/30 100/);
    await fourth.types("end\r");
    await fourth.endsWith(5);
  },
);
