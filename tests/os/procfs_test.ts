import { assert, assertEquals, assertObjectMatch } from "@std/assert";
import { childrenOf, descendantsOf, processStatus } from "../../src/os/procfs.ts";
import { startLinuxChild } from "../../src/process/linux/start.ts";
import { eventually } from "../support/patience.ts";
import { bash, inDirectory, RecordedChild } from "../support/recorded_child.ts";

const start = (argv: readonly string[]) =>
  RecordedChild.start(
    (command, observer) => Promise.resolve(startLinuxChild(command, observer)),
    { argv },
  );

Deno.test("procfs: descendants are found through all generations", async () => {
  const run = await start(bash("(sleep 600 & echo $!; wait) & echo $!; sleep 600 & echo $!; wait"));
  await run.says(/(\d+\n){3}/);
  const { pid } = run.child;
  const told = run.text().trim().split("\n").map(Number);
  assertEquals(descendantsOf(pid).toSorted(), told.toSorted());
  assertEquals(childrenOf(pid).length, 2);
  assert(childrenOf(pid).every((child) => told.includes(child)));
  assert(childrenOf(Deno.pid).includes(pid));
  assert(descendantsOf(Deno.pid).includes(told[0] ?? 0));
  run.child.kill();
  await run.end();
});

Deno.test("procfs: the status of a process whose name looks like a status", () =>
  inDirectory(async (directory) => {
    const program = `${directory}/a) Z 1 2`;
    await Deno.copyFile("/bin/sleep", program);
    const run = await start([program, "600"]);
    assertObjectMatch({ ...processStatus(run.child.pid) }, {
      zombie: false,
      parent: Deno.pid,
      group: run.child.pid,
      session: run.child.pid,
      terminal: 0,
    });
    run.child.kill();
    await run.end();
  }));

Deno.test("procfs: a process that has ended is a zombie until it is reaped, and then gone", async () => {
  const run = await start(["sleep", "600"]);
  const { pid } = run.child;
  run.child.kill();
  // Nothing is reaped until this function lets the event loop go on.
  while (processStatus(pid)?.zombie === false) continue;
  const expected = { zombie: true, parent: Deno.pid, group: pid, session: pid, terminal: 0 };
  assertObjectMatch({ ...processStatus(pid) }, expected);
  assertEquals(descendantsOf(pid), []);
  await run.end();
  await eventually(() => processStatus(pid) === undefined, "the reaping");
  assertEquals(childrenOf(pid), []);
});
