import { assertEquals, assertMatch } from "@std/assert";
import { ExecRun, execToEnd } from "../support/exec_run.ts";
import { ended, ListeningExecutor, REMEX_BIN, runToEnd } from "../support/executor.ts";
import { eventually } from "../../support/patience.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

const LINES = 20_000;
const numbers = Array.from({ length: LINES }, (_, index) => `${index + 1}\n`).join("");

Deno.test("exec --via: a command that serves on its standard streams", async () => {
  const run = await execToEnd(
    ["--via", `'${REMEX_BIN}' serve --listen stdio`, "--cwd", "/", "--", "sh", "-c", "cat; exit 3"],
    "input\n",
  );
  assertEquals(run, { code: 3, stdout: "input\n", stderr: "" });
});

Deno.test("exec --via: a command that cannot be run is told of by its own words, and its exit code", async () => {
  const run = await execToEnd(["--via", "/no/such/program", "--cwd", "/", "--", "true"]);
  assertEquals(run.code, 255);
  assertMatch(run.stderr, /not found\n/);
  assertMatch(run.stderr, /remex: .*ended, with exit code 127\n$/);
});

Deno.test("exec --via: a command that says something else", async () => {
  const run = await execToEnd(["--via", "echo hello; cat", "--cwd", "/", "--", "true"]);
  assertEquals(run.code, 255);
  assertMatch(run.stderr, /^remex: .*does not speak the exec-server protocol.*\n$/);
});

Deno.test("exec: two ways at once, or none, are refused", async () => {
  for (const way of [["--via", "cat", "--stdio"], ["--via", "cat", "--url", "ws://x:1"], []]) {
    const run = await execToEnd([...way, "--", "true"]);
    assertEquals(run.code, 2);
    assertMatch(run.stderr, /^remex: .*one of --url URL, --stdio/);
  }
});

Deno.test("bridge: a session goes on through the next one when one is killed, over and over", async () => {
  using directory = new TemporaryDirectory();
  const address = `unix:${directory.path}/socket`;
  await using _executor = await ListeningExecutor.start({}, ["--listen", address]);
  const pids = `${directory.path}/pids`;
  const via = `echo $$ >>'${pids}'; exec '${REMEX_BIN}' bridge '${address}'`;
  const talk = `n=0; while [ $n -lt 20 ]; do seq $((n * ${LINES / 20} + 1)) $(((n + 1) * ${
    LINES / 20
  })); n=$((n + 1)); read -r go; done; exit 5`;
  await using run = new ExecRun(["--via", via, "--cwd", "/", "--", "sh", "-c", talk]);
  for (let part = 1; part <= 20; part++) {
    await run.says(new RegExp(`^${part * LINES / 20}$`, "m"));
    if (part % 4 === 0) Deno.kill(lastPid(pids), "SIGKILL");
    await run.write("go\n");
  }
  assertEquals(await run.end(), 5);
  assertEquals(run.stdout, numbers);
  assertEquals(Deno.readTextFileSync(pids).trim().split("\n").length, 6);
});

function lastPid(file: string): number {
  return Number(Deno.readTextFileSync(file).trim().split("\n").at(-1));
}

Deno.test("bridge: much output for a slow reader, and much input", async () => {
  using directory = new TemporaryDirectory();
  const address = `unix:${directory.path}/socket`;
  await using _executor = await ListeningExecutor.start({}, ["--listen", address]);
  const via = `'${REMEX_BIN}' bridge '${address}'`;
  const run = await execToEnd(["--via", via, "--cwd", "/", "--", "cat"], numbers.repeat(40));
  assertEquals(run, { code: 0, stdout: numbers.repeat(40), stderr: "" });
});

Deno.test("bridge: nobody listens there", async () => {
  const run = await runToEnd(["bridge", "unix:/nonexistent/socket"]);
  assertEquals({ code: run.code, stdout: run.stdout }, { code: 255, stdout: "" });
  assertMatch(run.stderr, /^remex: cannot reach \/nonexistent\/socket: .*\n$/);
});

Deno.test("bridge: what is wrong with the command line is told", async () => {
  const wrong: [string[], RegExp][] = [
    [[], /give one address/],
    [["unix:/a", "unix:/b"], /give one address/],
    [["/a"], /unexpected argument `\/a`; it is no address/],
    [["unix:"], /names no path/],
    [["--spawn", "1", "ws://127.0.0.1:1"], /--spawn is of use with unix:PATH only/],
    [["--spawn", "soon", "unix:/a"], /--spawn: `soon` is not a number/],
    [["--heartbeat", "0", "unix:/a"], /--heartbeat: `0` is not a number/],
    // A timer for three times as long would be over at once.
    [["--heartbeat", "1000000", "unix:/a"], /a number of seconds above 0, at most 86400/],
  ];
  for (const [args, words] of wrong) {
    const run = await runToEnd(["bridge", ...args]);
    assertEquals(run.code, 2);
    assertMatch(run.stderr, words);
  }
});

Deno.test("bridge --spawn: several at once start one executor, which ends when it has nothing to do", async () => {
  using directory = new TemporaryDirectory();
  const socket = `${directory.path}/socket`;
  const via = `'${REMEX_BIN}' bridge --spawn 0.3 --heartbeat 1 'unix:${socket}'`;
  const runs = await Promise.all(
    Array.from(
      { length: 4 },
      () => execToEnd(["--via", via, "--cwd", "/", "--", "sh", "-c", "echo $PPID"]),
    ),
  );
  for (const run of runs) assertEquals({ ...run, stdout: "" }, { code: 0, stdout: "", stderr: "" });
  assertEquals(new Set(runs.map(({ stdout }) => stdout)).size, 1);
  const executor = Number(runs[0]?.stdout);
  await eventually(() => !isRunning(executor), "the executor to end");
  assertEquals(Array.from(Deno.readDirSync(directory.path), ({ name }) => name), []);
});

Deno.test("bridge --spawn: an executor that cannot start is told of", async () => {
  using directory = new TemporaryDirectory();
  directory.write("socket", "no socket", 0o600);
  const run = await runToEnd(["bridge", "--spawn", "1", `unix:${directory.path}/socket`]);
  assertEquals(run.code, 255);
  assertMatch(run.stderr, /^remex: the executor did not start: .*it is no socket file.*\n$/);
});

Deno.test("bridge --heartbeat: a client that falls silent is taken for gone, and that is told", async () => {
  using directory = new TemporaryDirectory();
  const address = `unix:${directory.path}/socket`;
  await using _executor = await ListeningExecutor.start({}, ["--listen", address]);
  const bridge = new Deno.Command(REMEX_BIN, {
    args: ["bridge", "--heartbeat", "0.2", address],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [said, told] = [bridge.stdout, bridge.stderr].map((stream) => new Response(stream).text());
  assertEquals((await ended(bridge)).code, 255);
  assertMatch(await said ?? "", /^\n+$/);
  assertMatch(await told ?? "", /^remex: the client is gone: nothing was heard for 0.6 s, .*\n$/);
  await bridge.stdin.abort().catch(() => {});
});

Deno.test("serve --exit-when-idle: not while a client is there, a session may come back, or a process runs", async () => {
  await using executor = await ListeningExecutor.start({}, ["--exit-when-idle", "10"]);
  const run = await execToEnd(
    ["--url", executor.url, "--cwd", "/", "--", "sh", "-c", "sleep 12; echo still here"],
  );
  assertEquals(run, { code: 0, stdout: "still here\n", stderr: "" });
  const { success } = await executor.end();
  assertEquals(success, true);
});

/** A process that has ended may wait to be reaped. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}
