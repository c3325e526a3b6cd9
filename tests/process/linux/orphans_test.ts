import { assertEquals } from "@std/assert";
import { eventually } from "../../support/patience.ts";
import { inDirectory } from "../../support/recorded_child.ts";
import { WatchedExecutor } from "../watched_executor.ts";

// Each test has an executor of its own: the one that these tests run in must adopt nobody.

/** Waits until a command has ended and what it left behind has been looked at. */
async function hasEnded(executor: WatchedExecutor, leader: number): Promise<void> {
  const left = () => executor.descendants().filter(({ parent }) => parent === executor.pid);
  await eventually(() => left().every(({ pid }) => pid !== leader), "the end of the command");
  await executor.watchesAll();
}

Deno.test("orphans: what a command leaves behind lives as long as its owner", async () => {
  for (const script of ["nohup sleep 600 &", "setsid sleep 600 &", "(setsid sleep 600 &)"]) {
    await using executor = new WatchedExecutor();
    const leader = await executor.order(`run a ${script}`);
    await hasEnded(executor, leader);
    // The end of another's command is a reason to look again.
    const other = await executor.order("run b true");
    await hasEnded(executor, other);
    assertEquals(executor.count("sleep 600"), 1, script);
    await executor.order("end b");
    assertEquals(executor.count("sleep 600"), 1, script);
    await executor.order("end a");
    await executor.runs("sleep 600", 0);
  }
});

Deno.test("orphans: one whose origin cannot be told ends with the last who may own it", async () => {
  await using executor = new WatchedExecutor();
  await executor.order("run a nohup sleep 601 &");
  await executor.order("run b (setsid sleep 600 &); exec sleep 602");
  await executor.runs("sleep 600", 1);
  await executor.runs("sleep 601", 1);
  await executor.watchesAll();
  await executor.order("end a");
  await executor.runs("sleep 601", 0);
  assertEquals(executor.count("sleep 600"), 1);
  await executor.order("end b");
  await executor.runs("sleep 600", 0);
});

Deno.test("orphans: owners do not end what is another's", async () => {
  await using executor = new WatchedExecutor();
  const leaders = [
    await executor.order("run a nohup sleep 600 &"),
    await executor.order("run b nohup sleep 601 &"),
  ];
  for (const leader of leaders) await hasEnded(executor, leader);
  await executor.order("end a");
  await executor.runs("sleep 600", 0);
  assertEquals(executor.count("sleep 601"), 1);
});

Deno.test("orphans: what a command leaves that ends before its start is heard of stays", async () => {
  for (const [owner, script] of [["a", "sleep 600 &"], ["b", "setsid sleep 600 &"]]) {
    await using executor = new WatchedExecutor();
    await executor.order(`late ${owner} ${script}`);
    await executor.watchesAll();
    assertEquals(executor.count("sleep 600"), 1, script);
    await executor.order(`end ${owner}`);
    await executor.runs("sleep 600", 0);
  }
});

Deno.test("orphans: what turns up after its owner's end is killed too", () =>
  inDirectory(async (directory) => {
    await using executor = new WatchedExecutor();
    const signal = `${directory}/go`;
    await executor.order(
      `run a while [ ! -e ${signal} ]; do sleep 0.02; done; setsid sleep 600 & sleep 0.1`,
    );
    await executor.order("end a");
    Deno.writeTextFileSync(signal, "");
    await eventually(() => executor.descendants().length === 0, "the end of all");
  }));

Deno.test("orphans: one that opens a session of its own after its adoption is seen to", () =>
  inDirectory(async (directory) => {
    await using executor = new WatchedExecutor();
    const signal = `${directory}/go`;
    const late = `while [ ! -e ${signal} ]; do sleep 0.02; done; exec setsid sleep 600`;
    await executor.order(`run a (sh -c '${late}' &); exec sleep 601`);
    const adopted = () => executor.descendants().filter(({ parent }) => parent === executor.pid);
    await eventually(() => adopted().length === 2, "the adoption");
    await executor.watchesAll();
    Deno.writeTextFileSync(signal, "");
    await executor.runs("sleep 600", 1);
    await executor.watchesAll();
    await executor.order("end a");
    await executor.runs("sleep 600", 0);
  }));

Deno.test("orphans: none stays a zombie, and none keeps its session in care", async () => {
  await using executor = new WatchedExecutor();
  const leader = await executor.order(
    "run a for i in 1 2 3 4 5 6 7 8; do (setsid sleep 0.1 &); done; exec sleep 600",
  );
  await executor.runs("sleep 600", 1);
  await eventually(() => executor.count("sleep 0.1") === 0, "the end of the short ones");
  await eventually(() => zombiesOf(executor.pid) === 0, "all to be reaped");
  await eventually(
    () => executor.watched().every((session) => session === leader),
    "all but the running to be released",
  );
});

/** How many of a process's children have ended and wait to be reaped. */
function zombiesOf(parent: number): number {
  return Array.from(Deno.readDirSync("/proc"), ({ name }) => name)
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
        return stat.slice(stat.lastIndexOf(")")).startsWith(`) Z ${parent} `);
      } catch {
        return false;
      }
    }).length;
}
