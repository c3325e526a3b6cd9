import { assertEquals } from "@std/assert";
import { Deadline } from "../../src/process/deadline.ts";
import { EventLog } from "../../src/process/event_log.ts";
import { Process } from "../../src/process/process.ts";
import { FakeChild, fakeCommand, FakeSystem } from "../support/fake_child.ts";
import { eventually } from "../support/patience.ts";

const LONG_MS = 3_600_000;

function fakeChild(): FakeChild {
  return new FakeChild(7, fakeCommand(), { output() {}, exited() {}, ended() {} });
}

/** The deadline of a child whose time is up. */
async function passed(child: FakeChild): Promise<Deadline> {
  const deadline = new Deadline({ timeMs: 1, graceMs: LONG_MS }, () => () => {});
  deadline.started(child);
  await eventually(() => deadline.passing.aborted, "the time to be up");
  return deadline;
}

Deno.test("what a command leaves behind is killed after the grace, though it has ended itself", async () => {
  const child = fakeChild();
  let running = true;
  const deadline = new Deadline({ timeMs: 1, graceMs: 1 }, (pid) => {
    assertEquals([pid, running], [child.pid, true]);
    return () => child.calls.push("killLeft");
  });
  // It heeds SIGTERM at once.
  child.requestEnd = () => {
    queueMicrotask(() => {
      running = false;
      deadline.exited();
    });
    child.calls.push("requestEnd");
    return true;
  };
  deadline.started(child);
  await eventually(() => child.calls.length > 1, "the end of the grace");
  assertEquals([deadline.reached, child.calls], [true, ["requestEnd", "kill", "killLeft"]]);
});

Deno.test("a command that has ended in time was not ended, though that was not known", async () => {
  const child = fakeChild();
  child.running = false;
  const deadline = await passed(child);
  assertEquals([deadline.reached, child.calls], [false, ["requestEnd"]]);
});

Deno.test("a command that ends in time leaves no timer, nor does one that nobody asks about", async () => {
  const ended = new Deadline({ timeMs: LONG_MS, graceMs: 0 });
  ended.started(fakeChild());
  ended.exited();
  const deadline = await passed(fakeChild());
  deadline.exited();
  deadline[Symbol.dispose]();
  // Deno.test fails when a timer is left.
});

Deno.test("a command that starts too late is asked to end at once, and one that cannot is none", async () => {
  const deadline = new Deadline({ timeMs: 1, graceMs: LONG_MS });
  await eventually(() => deadline.passing.aborted, "the time to be up");
  const child = fakeChild();
  deadline.started(child);
  assertEquals([child.calls, deadline.reached], [["requestEnd"], true]);
  deadline[Symbol.dispose]();
  const unused = new Deadline({ timeMs: LONG_MS, graceMs: 0 });
  const refuse = () => Promise.reject(new Error("no"));
  await Process.start(fakeCommand(), refuse, new EventLog(), () => {}, { deadline: unused })
    .catch(() => {});
});

Deno.test("the exit of a process tells whether it was asked to end", async () => {
  for (const running of [true, false]) {
    const system = new FakeSystem();
    const deadline = new Deadline({ timeMs: 1, graceMs: LONG_MS });
    const log = new EventLog();
    await Process.start(fakeCommand(), system.start, log, () => {}, { deadline });
    system.newest.running = running;
    await eventually(() => deadline.passing.aborted, "the time to be up");
    system.newest.finish(0);
    const { timedOut } = log.read({ afterSeq: 0, maxBytes: undefined });
    assertEquals(timedOut, running ? true : undefined);
  }
});
