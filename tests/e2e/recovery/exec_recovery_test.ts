import { assert, assertEquals, assertMatch } from "@std/assert";
import { ExecRun } from "../support/exec_run.ts";
import { ListeningExecutor } from "../support/executor.ts";
import { MarkedProcesses } from "../../support/marked_processes.ts";
import { eventually } from "../../support/patience.ts";
import { FaultyPath } from "../../support/faulty_path.ts";
import { numbered } from "./support/work.ts";

const LINES = 20_000;
const BURSTS = 100;

/** Says numbered lines for a while. */
const TALK = `b=0; while [ $b -lt ${BURSTS} ]; do
  seq $((b * ${LINES / BURSTS} + 1)) $(((b + 1) * ${LINES / BURSTS})); b=$((b + 1)); sleep 0.005
done; exit 5`;

Deno.test("exec: output is whole over breaks, each told of in one line", async () => {
  await using executor = await ListeningExecutor.start();
  await using path = new FaultyPath(executor.url, () => ({}));
  await using run = new ExecRun([
    ...["--url", path.url, "--cwd", "/", "--no-stdin"],
    ...["--", "sh", "-c", TALK],
  ]);
  for (const line of [1000, 6000, 14000]) {
    await run.says(new RegExp(`^${line}$`, "m"));
    path.cutAll();
    await run.says(/reconnecting/, "stderr");
  }
  assertEquals(await run.end(), 5);
  assert(run.stdout === numbered(1, LINES), "every line once and in order");
  const told = run.stderr.trimEnd().split("\n");
  assertEquals(told.length, path.traffic.length - 1);
  for (const line of told) assertMatch(line, /^remex: .*; reconnecting$/);
});

Deno.test("exec: input is whole over breaks", async () => {
  await using executor = await ListeningExecutor.start();
  await using path = new FaultyPath(executor.url, () => ({}));
  await using run = new ExecRun([
    ...["--url", path.url, "--cwd", "/"],
    ...["--", "sh", "-c", "cat; exit 3"],
  ]);
  for (let part = 0; part < 40; part++) {
    await run.write(numbered(part * 100 + 1, part * 100 + 100));
    if (part % 10 !== 5) continue;
    await run.says(/^1$/m);
    path.cutAll();
  }
  await run.endInput();
  assertEquals(await run.end(), 3);
  assert(run.stdout === numbered(1, 4000), "every line once and in order");
});

Deno.test("exec: a command that ends while nobody is connected has its exit code", async () => {
  await using executor = await ListeningExecutor.start();
  await using marked = new MarkedProcesses();
  let open = true;
  await using path = new FaultyPath(
    executor.url,
    () =>
      open
        ? {}
        : { faults: [{ direction: "toServer", unit: 0, kind: { kind: "cut", where: "before" } }] },
  );
  await using run = new ExecRun([
    ...["--url", path.url, "--cwd", "/"],
    ...["--", "sh", "-c", "echo before; sleep $0; echo after; exit 8", marked.duration],
  ]);
  await run.says(/before/);
  open = false;
  path.cutAll();
  await run.says(/reconnecting/, "stderr");
  for (const pid of marked.find()) if (isSleep(pid)) Deno.kill(pid);
  await eventually(() => !marked.find().some(isSleep), "the sleep to end");
  open = true;
  assertEquals(await run.end(), 8);
  assertEquals(run.stdout, "before\nafter\n");
});

function isSleep(pid: number): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/comm`) === "sleep\n";
  } catch {
    return false;
  }
}

Deno.test("exec: an executor that is killed is out of reach in the end", async () => {
  await using executor = await ListeningExecutor.start();
  await using run = new ExecRun([
    ...["--url", executor.url, "--cwd", "/", "--reconnect-timeout", "0.5"],
    ...["--", "sh", "-c", "echo ready; exec sleep 60"],
  ]);
  await run.says(/ready/);
  await executor.endBy("SIGKILL");
  assertEquals(await run.end(), 255);
  assertMatch(run.stderr, /^remex: .*; reconnecting\nremex: .*did not come back within 0.5 s.*\n$/);
});

Deno.test("exec: an executor that was restarted no longer knows the session", async () => {
  await using executor = await ListeningExecutor.start();
  await using other = await ListeningExecutor.start();
  await using path = new FaultyPath(executor.url, () => ({}));
  await using run = new ExecRun([
    ...["--url", path.url, "--cwd", "/", "--", "sh", "-c", "echo ready; exec sleep 60"],
  ]);
  await run.says(/ready/);
  path.leadTo(other.url);
  path.cutAll();
  assertEquals(await run.end(), 255);
  assertMatch(run.stderr, /reconnecting\nremex: the executor no longer knows the session.*\n$/);
});

Deno.test("exec: an executor that shuts down says how the command ended", async () => {
  await using executor = await ListeningExecutor.start();
  await using run = new ExecRun([
    ...["--url", executor.url, "--cwd", "/"],
    ...["--", "sh", "-c", "trap 'exit 44' TERM; echo ready; while :; do sleep 0.02; done"],
  ]);
  await run.says(/ready/);
  await executor.endBy("SIGTERM");
  const code = await run.end();
  // A grace of 0 s leaves it to chance whether the command's own handler is in time.
  assert([44, 137, 255].includes(code), `exit code ${code}`);
  assert(!run.stderr.includes("reconnecting"), run.stderr);
});
