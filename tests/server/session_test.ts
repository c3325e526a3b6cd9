import { assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { ClosedProcesses } from "../../src/server/closed_processes.ts";
import { RetentionPool } from "../../src/process/retention_pool.ts";
import { StartError } from "../../src/process/child.ts";
import { RpcError } from "../../src/protocol/errors.ts";
import { Session } from "../../src/server/session.ts";
import { Quota } from "../../src/process/quota.ts";
import { NO_TELEMETRY } from "../../src/telemetry/telemetry.ts";
import { eventually } from "../support/patience.ts";
import { fakeCommand, FakeSystem } from "../support/fake_child.ts";
import { FakeKeeper } from "../support/fake_keeper.ts";
import { FakeSink } from "../support/fake_transport.ts";

interface Setting {
  readonly session: Session;
  readonly system: FakeSystem;
  readonly keeper: FakeKeeper;
  readonly sink: FakeSink;
}

/** A session with a client attached. */
function setUp(closedRetentionMs = 60_000): Setting {
  const [system, keeper, sink] = [new FakeSystem(), new FakeKeeper(), new FakeSink()];
  const session = new Session({
    startChild: system.start,
    keeper,
    retainedBytes: 1024,
    retentionPool: new RetentionPool(),
    processSlots: new Quota(1000),
    telemetry: NO_TELEMETRY,
    closedProcesses: new ClosedProcesses(1000, closedRetentionMs),
  });
  session.attach(sink);
  return { session, system, keeper, sink };
}

Deno.test("session ids are random UUIDs", () => {
  const ids = [setUp().session.id, setUp().session.id];
  for (const id of ids) {
    assertMatch(id, /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  }
  assertNotEquals(ids[0], ids[1]);
});

Deno.test("events go to the client in order, under the client's name for the process", async () => {
  const { session, system, sink } = setUp();
  await session.start('a"b', fakeCommand());
  system.newest.say("x");
  system.newest.finish(3);
  assertEquals(sink.sent.map((text) => JSON.parse(text)), [
    {
      method: "process/output",
      params: { processId: 'a"b', seq: 1, stream: "stdout", chunk: "eA==" },
    },
    {
      method: "process/exited",
      params: { processId: 'a"b', seq: 2, exitCode: 3, sandboxDenied: false },
    },
    { method: "process/closed", params: { processId: 'a"b', seq: 3 } },
  ]);
  session.end();
});

Deno.test("a name is taken from the start until the process is forgotten", async () => {
  const { session, system } = setUp(0);
  const held = Promise.withResolvers<void>();
  system.ready = held.promise;
  const starting = session.start("p", fakeCommand());
  const taken = () => assertRejects(() => session.start("p", fakeCommand()), RpcError, "p already");
  await taken();
  held.resolve();
  await starting;
  await taken();
  system.newest.tell.exited(0);
  await taken();
  system.newest.tell.ended();
  await taken();
  await eventually(() => session.find("p") === undefined, "the process to be forgotten");
  await session.start("p", fakeCommand());
  session.end();
});

Deno.test("a name is free again when its process could not be started", async () => {
  const { session, system } = setUp();
  system.ready = Promise.reject(new StartError("no such file"));
  await assertRejects(() => session.start("p", fakeCommand()), StartError, "no such file");
  assertEquals(session.find("p"), undefined);
  system.ready = Promise.resolve();
  await session.start("p", fakeCommand());
});

Deno.test("names that mean something in JavaScript are names like others", async () => {
  const { session } = setUp();
  for (const name of ["__proto__", "constructor", "toString", ""]) {
    assertEquals(session.find(name), undefined, name);
    await session.start(name, fakeCommand());
    assertNotEquals(session.find(name), undefined, name);
  }
});

Deno.test("whoever asks for a process that is starting waits for it", async () => {
  const { session, system } = setUp();
  const held = Promise.withResolvers<void>();
  system.ready = held.promise;
  const starting = session.start("p", fakeCommand());
  const [early, other] = [session.find("p"), session.find("q")];
  held.resolve();
  await starting;
  assertEquals(await early, await session.find("p"));
  assertEquals(other, undefined);
});

Deno.test("whoever waits for a process that cannot be started learns that there is none", async () => {
  const { session, system } = setUp();
  const held = Promise.withResolvers<void>();
  system.ready = held.promise;
  const starting = session.start("p", fakeCommand());
  const early = session.find("p");
  held.reject(new StartError("no such file"));
  await assertRejects(() => starting, StartError);
  assertEquals(await early, undefined);
});

Deno.test("events of the time without a client are retained but not sent", async () => {
  const { session, system, sink } = setUp();
  await session.start("p", fakeCommand());
  session.detach(sink);
  system.newest.say("missed");
  const next = new FakeSink();
  session.attach(next);
  system.newest.say("seen");
  assertEquals([sink.take(), next.take()], [[], ["process/output p 2"]]);
  const process = await session.find("p");
  assertEquals(process?.log.read({ afterSeq: 0, maxBytes: undefined }).chunks.length, 2);
});

Deno.test("the late end of an old connection does not cut off the new one", async () => {
  const { session, system, sink } = setUp();
  await session.start("p", fakeCommand());
  const next = new FakeSink();
  session.attach(next);
  session.detach(sink);
  system.newest.say("x");
  assertEquals([session.attached, sink.take(), next.take()], [true, [], ["process/output p 1"]]);
});

Deno.test("a client that does not read holds up all processes, those that start later too", async () => {
  const { session, system, sink } = setUp();
  await session.start("p", fakeCommand());
  await session.start("q", fakeCommand());
  sink.saturated = true;
  system.newest.say("x");
  await session.start("r", fakeCommand());
  assertEquals(system.children.map(({ calls }) => calls), [["pause"], ["pause"], ["pause"]]);
  sink.saturated = false;
  session.resume();
  session.resume();
  for (const { calls } of system.children) assertEquals(calls, ["pause", "resume"]);
});

Deno.test("when the client is gone nothing waits for it", async () => {
  const { session, system, sink } = setUp();
  await session.start("p", fakeCommand());
  sink.saturated = true;
  system.newest.say("x");
  session.detach(sink);
  system.newest.say("y");
  assertEquals(system.newest.calls, ["pause", "resume"]);
});

Deno.test("none stays resumed when the first to go on has too much to tell", async () => {
  const { session, system, sink } = setUp();
  for (const name of ["p", "q", "r"]) await session.start(name, fakeCommand());
  sink.saturated = true;
  const [first] = system.children;
  first?.say("x");
  if (first !== undefined) first.resume = () => first.say("what it had kept back");
  session.resume();
  for (const { calls } of system.children.slice(1)) assertEquals(calls.at(-1), "pause");
  sink.saturated = false;
  session.resume();
  for (const { calls } of system.children.slice(1)) assertEquals(calls.at(-1), "resume");
});

Deno.test("the end of a session kills its processes and what they left, and tells nobody", async () => {
  const { session, system, keeper, sink } = setUp();
  await session.start("p", fakeCommand());
  await session.start("q", fakeCommand());
  const process = await session.find("p");
  system.newest.finish(0);
  sink.take();
  session.end();
  const [running, ended] = system.children;
  assertEquals([running?.calls, ended?.calls], [["kill", "abandon"], ["abandon"]]);
  assertEquals(process?.outcome, "shutdown");
  running?.say("x");
  assertEquals([sink.take(), session.find("p"), session.runningProcesses], [[], undefined, 0]);
  assertEquals(keeper.calls, ["started 1000", "started 1001", "exited 1001", "killAllOf"]);
});

Deno.test("a process that has started by the time its session has ended is killed", async () => {
  const { session, system, keeper } = setUp();
  const held = Promise.withResolvers<void>();
  system.ready = held.promise;
  const starting = session.start("p", fakeCommand());
  session.end();
  held.resolve();
  await starting;
  assertEquals(system.newest.calls, ["kill", "abandon"]);
  assertEquals([session.find("p"), keeper.calls], [undefined, ["killAllOf", "started 1000"]]);
});

Deno.test("only running processes are asked to end", async () => {
  const { session, system } = setUp();
  await session.start("p", fakeCommand());
  await session.start("q", fakeCommand());
  system.newest.tell.exited(0);
  session.requestEnd();
  assertEquals(system.children.map(({ calls }) => calls), [["requestEnd"], []]);
  assertEquals(session.runningProcesses, 1);
});
