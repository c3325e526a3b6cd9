import { assertEquals } from "@std/assert";
import { EventLog, type LogEvent } from "../../src/process/event_log.ts";
import { Process } from "../../src/process/process.ts";
import { eventually } from "../support/patience.ts";
import { type FakeChild, fakeCommand, FakeSystem } from "../support/fake_child.ts";

interface Started {
  readonly process: Process;
  readonly child: FakeChild;
  /** The kinds of events so far, the exit with whether it came of a denial. */
  readonly told: string[];
}

/** A process whose enclosure takes the word `no` for a denial. */
async function startEnclosed(): Promise<Started> {
  const system = new FakeSystem();
  const told: string[] = [];
  const tell = (event: LogEvent) =>
    told.push(event.kind === "exited" ? `exited ${event.sandboxDenied}` : event.kind);
  const process = await Process.start(fakeCommand(), system.start, new EventLog(), tell);
  system.newest.enclosure = {
    sandboxType: "linuxSeccomp",
    isDenial: (exitCode, output) => exitCode === 1 && output.includes("no"),
  };
  return { process, child: system.newest, told };
}

Deno.test("a process tells what encloses it", async () => {
  const { process, child } = await startEnclosed();
  assertEquals(process.sandboxType, "linuxSeccomp");
  delete child.enclosure;
  assertEquals(process.sandboxType, "none");
});

Deno.test("a denial that shows is told at once, in answers to reads too", async () => {
  const { process, child, told } = await startEnclosed();
  child.say("n");
  child.say("o");
  child.tell.exited(1);
  assertEquals(told, ["output", "output", "exited true"]);
  assertEquals(process.log.read({ afterSeq: 0, maxBytes: undefined }).sandboxDenied, true);
});

Deno.test("a success needs no time", async () => {
  const { child, told } = await startEnclosed();
  child.say("no");
  child.tell.exited(0);
  assertEquals(told, ["output", "exited false"]);
});

Deno.test("when nobody is left to say more the exit is told at once", async () => {
  const { child, told } = await startEnclosed();
  child.finish(1);
  assertEquals(told, ["exited false", "closed"]);
});

Deno.test("what descendants say a little later counts", async () => {
  const { process, child, told } = await startEnclosed();
  child.tell.exited(1);
  assertEquals([told, process.running], [[], true]);
  child.say("no");
  child.tell.ended();
  assertEquals(told, ["output", "exited true", "closed"]);
});

Deno.test("descendants that go on are not waited for", async () => {
  const { child, told } = await startEnclosed();
  child.tell.exited(1);
  await eventually(() => told.length > 0, "the exit");
  child.say("no");
  child.tell.ended();
  assertEquals(told, ["exited false", "output", "closed"]);
});

Deno.test("an exit that is waiting is not told once abandoned", async () => {
  const { process, child, told } = await startEnclosed();
  const other = await startEnclosed();
  child.tell.exited(1);
  process.abandon();
  other.child.tell.exited(1);
  await eventually(() => other.told.length > 0, "the exit of a process started later");
  assertEquals(told, []);
});
