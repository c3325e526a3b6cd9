import { delay } from "@std/async/delay";
import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { type ChildCommand, StartError } from "../../src/process/child.ts";
import { EventLog, type LogEvent } from "../../src/process/event_log.ts";
import { Process } from "../../src/process/process.ts";
import { RpcError } from "../../src/protocol/errors.ts";
import { type FakeChild, fakeCommand, FakeSystem } from "../support/fake_child.ts";

interface Started {
  readonly process: Process;
  readonly child: FakeChild;
  readonly events: LogEvent[];
}

async function start(command: ChildCommand = fakeCommand()): Promise<Started> {
  const system = new FakeSystem();
  const events: LogEvent[] = [];
  const log = new EventLog();
  const process = await Process.start(command, system.start, log, (event) => events.push(event));
  return { process, child: system.newest, events };
}

const bytes = (length: number) => new Uint8Array(length);
const MEBIBYTE = 1024 * 1024;

Deno.test("events are logged and told in the order in which they happen", async () => {
  const { process, child, events } = await start();
  child.say("a");
  child.tell.exited(3);
  child.say("b");
  child.tell.ended();
  assertEquals(events.map(({ seq, kind }) => `${seq} ${kind}`), [
    "1 output",
    "2 exited",
    "3 output",
    "4 closed",
  ]);
  const answer = process.log.read({ afterSeq: 0, maxBytes: undefined });
  assertEquals([answer.chunks.length, answer.exitCode, answer.nextSeq], [2, 3, 5]);
});

Deno.test("a failed start is told to whoever asked for it", async () => {
  const refused = new StartError("no such file");
  const attempt = () =>
    Process.start(fakeCommand(), () => Promise.reject(refused), new EventLog(), () => {});
  assertStrictEquals(await assertRejects(attempt, StartError), refused);
});

Deno.test("what decides first how a process ends is its outcome", async () => {
  const cases: [steps: (started: Started) => void, outcome: string | undefined][] = [
    [() => {}, undefined],
    [({ process }) => process.signal("interrupt"), undefined],
    [({ process, child }) => {
      process.requestEnd();
      process.terminate();
      child.tell.exited(143);
    }, "shutdown"],
    [({ child }) => child.tell.exited(0), "exited"],
    [({ process, child }) => {
      child.tell.exited(0);
      process.terminate();
      process.end("shutdown");
    }, "exited"],
    [({ process, child }) => {
      process.terminate();
      process.end("shutdown");
      child.tell.exited(137);
    }, "terminated"],
    [({ process, child }) => {
      process.end("shutdown");
      process.terminate();
      child.tell.exited(137);
    }, "shutdown"],
  ];
  for (const [steps, outcome] of cases) {
    const started = await start();
    steps(started);
    assertEquals(started.process.outcome, outcome);
  }
});

Deno.test("terminate tells whether the process was running", async () => {
  const { process, child } = await start();
  assertEquals([process.running, process.terminate(), process.terminate()], [true, true, true]);
  child.tell.exited(137);
  assertEquals([process.running, process.terminate()], [false, false]);
  assertEquals(child.calls, ["kill", "kill"]);
});

Deno.test("nothing is sent to a process that has exited", async () => {
  const { process, child } = await start();
  const attempt = () => {
    process.signal("interrupt");
    process.requestEnd();
    process.end("shutdown");
    process.resize({ rows: 2, cols: 3 });
    process.closeInput();
  };
  attempt();
  assertEquals(child.calls, ["interrupt", "requestEnd", "kill", "resize 2x3", "closeInput"]);
  child.tell.exited(0);
  attempt();
  assertEquals(child.calls.length, 5);
});

Deno.test("a write is accepted before the process has read it", async () => {
  const { process, child } = await start();
  assertEquals(await process.write(bytes(3), "w"), "accepted");
  child.settleWrite("closed");
  assertEquals(await process.write(bytes(3), "w"), "accepted");
  assertEquals(child.calls, ["write 3"]);
});

Deno.test("a repeated write id writes once, also while the first is under way", async () => {
  const { process, child } = await start();
  const [first, again] = [process.write(bytes(1), "w"), process.write(bytes(2), "w")];
  assertEquals([await first, await again], ["accepted", "accepted"]);
  assertEquals(await process.write(bytes(3), "w2"), "accepted");
  child.tell.exited(0);
  assertEquals(await process.write(bytes(4), "w"), "accepted");
  assertEquals(child.calls, ["write 1", "write 3"]);
});

Deno.test("names that mean something in JavaScript are write ids like others", async () => {
  const { process, child } = await start();
  for (const id of ["__proto__", "constructor", "toString", "__proto__"]) {
    assertEquals(await process.write(bytes(1), id), "accepted");
  }
  assertEquals(child.calls.length, 3);
});

Deno.test("writes to what does not read are refused", async () => {
  const withoutInput = await start(fakeCommand("empty"));
  assertEquals(await withoutInput.process.write(bytes(1), "w"), "stdinClosed");
  const ended = await start();
  ended.child.tell.exited(0);
  assertEquals(await ended.process.write(bytes(1), "w"), "stdinClosed");
  assertEquals([...withoutInput.child.calls, ...ended.child.calls], []);
});

Deno.test("a terminal takes input", async () => {
  const { process } = await start({
    ...fakeCommand(),
    stdio: { kind: "pty", size: { rows: 1, cols: 1 } },
  });
  assertEquals(await process.write(bytes(1), "w"), "accepted");
});

Deno.test("a refused write is not remembered as accepted", async () => {
  const { process, child } = await start();
  const refused = process.write(bytes(9 * MEBIBYTE), "w");
  child.settleWrite("closed");
  assertEquals(await refused, "stdinClosed");
  assertEquals(await process.write(bytes(1), "w"), "accepted");
  assertEquals(child.calls, [`write ${9 * MEBIBYTE}`, "write 1"]);
});

Deno.test("past 8 MiB that the process has not taken, writes are answered when they are", async () => {
  const { process, child } = await start();
  assertEquals(await process.write(bytes(8 * MEBIBYTE), "full"), "accepted");
  let answered = false;
  const waiting = process.write(bytes(1), "over").finally(() => answered = true);
  await delay(0);
  assertEquals(answered, false);
  child.settleWrite("written");
  child.settleWrite("written");
  assertEquals(await waiting, "accepted");
  assertEquals(await process.write(bytes(1), "after"), "accepted");
});

Deno.test("the newest 1024 write ids are remembered", async () => {
  const { process, child } = await start();
  for (let id = 0; id <= 1024; id++) await process.write(bytes(1), `${id}`);
  await process.write(bytes(1), "1");
  assertEquals(child.calls.length, 1025);
  await process.write(bytes(1), "0");
  assertEquals(child.calls.length, 1026);
});

Deno.test("a process is resumed only if it was paused", async () => {
  const { process, child } = await start();
  process.resume();
  process.pause();
  process.resume();
  process.resume();
  assertEquals(child.calls, ["pause", "resume"]);
});

Deno.test("writes far past what the process reads are refused, and others go on", async () => {
  const { process, child } = await start();
  for (let index = 0; index < 2; index++) void process.write(bytes(60 * MEBIBYTE), `${index}`);
  assertThrows(() => process.write(bytes(60 * MEBIBYTE), "2"), RpcError, "wait for the process");
  child.settleWrite("written");
  await Promise.resolve();
  child.settleWrite("written");
  assertEquals(child.calls.length, 2);
});
