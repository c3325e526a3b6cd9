import {
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { delay } from "@std/async/delay";
import { ClosedProcesses } from "../../src/server/closed_processes.ts";
import { RetentionPool } from "../../src/process/retention_pool.ts";
import { ErrorCode, RpcError } from "../../src/protocol/errors.ts";
import { Sessions } from "../../src/server/sessions.ts";
import { Quota } from "../../src/process/quota.ts";
import { NO_TELEMETRY } from "../../src/telemetry/telemetry.ts";
import { eventually } from "../support/patience.ts";
import { fakeCommand, FakeSystem } from "../support/fake_child.ts";
import { FakeKeeper } from "../support/fake_keeper.ts";
import { FakeSink } from "../support/fake_transport.ts";

const LONG_MS = 3_600_000;

interface Setting {
  readonly sessions: Sessions;
  readonly system: FakeSystem;
  readonly keeper: FakeKeeper;
}

function setUp(detachedLifeMs = LONG_MS, graceMs = 0, maxDetachedLifeMs = LONG_MS): Setting {
  const [system, keeper] = [new FakeSystem(), new FakeKeeper()];
  const sessions = new Sessions({
    startChild: system.start,
    keeper,
    retainedBytes: 1024,
    retentionPool: new RetentionPool(),
    processSlots: new Quota(1000),
    telemetry: NO_TELEMETRY,
    closedProcesses: new ClosedProcesses(1000, LONG_MS),
    detachedLifeMs,
    maxDetachedLifeMs,
    graceMs,
    maxSessions: 1000,
  });
  return { sessions, system, keeper };
}

/** The code of the error that resuming a session answers, or undefined if it can be resumed. */
function resumeError(sessions: Sessions, id: string): number | undefined {
  try {
    sessions.resume(id, new FakeSink());
    return undefined;
  } catch (error) {
    return error instanceof RpcError ? error.code : NaN;
  }
}

Deno.test("every connection gets a session of its own", async () => {
  const { sessions } = setUp();
  const [one, other] = [sessions.open(new FakeSink()), sessions.open(new FakeSink())];
  assertNotEquals(one.id, other.id);
  await one.start("p", fakeCommand());
  assertEquals(other.find("p"), undefined);
  assertEquals([sessions.size, sessions.runningProcesses], [2, 1]);
});

Deno.test("a session can be resumed once its connection is gone, and once only", async () => {
  const { sessions, system } = setUp();
  const [old, next] = [new FakeSink(), new FakeSink()];
  const session = sessions.open(old);
  await session.start("p", fakeCommand());
  assertEquals(resumeError(sessions, session.id), ErrorCode.SessionAttached);
  sessions.detach(session, old);
  assertStrictEquals(sessions.resume(session.id, next), session);
  assertEquals(resumeError(sessions, session.id), ErrorCode.SessionAttached);
  system.newest.say("x");
  assertEquals([old.take(), next.take()], [[], ["process/output p 1"]]);
});

Deno.test("of many connections that resume a session at once one gets it", () => {
  const { sessions } = setUp();
  const sink = new FakeSink();
  const session = sessions.open(sink);
  sessions.detach(session, sink);
  const answers = Array.from({ length: 5 }, () => resumeError(sessions, session.id));
  assertEquals(answers, [undefined, ...Array(4).fill(ErrorCode.SessionAttached)]);
});

Deno.test("an id that is no session's is refused and named", () => {
  const { sessions } = setUp();
  const { id } = sessions.open(new FakeSink());
  for (const wrong of ["", "nope", id.toUpperCase(), `${id} `, "__proto__", "constructor"]) {
    const error = assertThrows(() => sessions.resume(wrong, new FakeSink()), RpcError);
    assertEquals(error.code, ErrorCode.InvalidRequest);
    assertEquals(error.message, `unknown session id ${wrong}`);
  }
});

Deno.test("at its deadline a session has ended, whether or not its timer has run", async () => {
  const { sessions, system, keeper } = setUp(0);
  const sink = new FakeSink();
  const session = sessions.open(sink);
  await session.start("p", fakeCommand());
  sessions.detach(session, sink);
  // No timer can have run: nothing has been awaited since.
  assertEquals(resumeError(sessions, session.id), ErrorCode.InvalidRequest);
  assertEquals([system.newest.calls, sessions.size], [["requestEnd"], 0]);
  await eventually(() => keeper.ended.has(session), "the end of its processes");
  assertEquals(system.newest.calls, ["requestEnd", "kill", "abandon"]);
});

Deno.test("a session that nobody resumes ends by itself", async () => {
  const { sessions, system, keeper } = setUp(1);
  const sink = new FakeSink();
  const session = sessions.open(sink);
  await session.start("p", fakeCommand());
  sessions.detach(session, sink);
  assertEquals(system.newest.calls, []);
  await eventually(() => sessions.size === 0, "the session to expire");
  assertEquals(system.newest.calls, ["requestEnd", "kill", "abandon"]);
  assertEquals(keeper.ended.has(session), true);
  assertEquals(resumeError(sessions, session.id), ErrorCode.InvalidRequest);
});

Deno.test("what runs in a session that has expired may take its grace to end", async () => {
  const { sessions, system, keeper } = setUp(1, LONG_MS);
  const sink = new FakeSink();
  const session = sessions.open(sink);
  await session.start("p", fakeCommand());
  sessions.detach(session, sink);
  await eventually(() => sessions.size === 0, "the session to expire");
  assertEquals(resumeError(sessions, session.id), ErrorCode.InvalidRequest);
  assertEquals(system.newest.calls, ["requestEnd"]);
  assertEquals([sessions.runningProcesses, keeper.calls.at(-1)], [1, "requestEndOf"]);
  system.newest.tell.exited(0);
  system.newest.tell.ended();
  await eventually(() => keeper.ended.has(session), "the end of its processes");
  assertEquals(system.newest.calls, ["requestEnd", "abandon"]);
});

Deno.test("a shutdown does not wait for the grace of a session that has expired", async () => {
  const { sessions, system } = setUp(1, LONG_MS);
  const sink = new FakeSink();
  const session = sessions.open(sink);
  await session.start("p", fakeCommand());
  sessions.detach(session, sink);
  await eventually(() => sessions.size === 0, "the session to expire");
  await sessions.endAll(0);
  assertEquals(system.newest.calls, ["requestEnd", "kill", "kill", "abandon"]);
  // The wait for the grace looks once more and finds the session gone.
  await delay(100);
});

Deno.test("each time a session is detached it has the whole time again", () => {
  const clock = new Clock();
  try {
    const { sessions } = setUp(30_000);
    let sink = new FakeSink();
    const session = sessions.open(sink);
    for (let time = 0; time < 3; time++) {
      sessions.detach(session, sink);
      clock.now += 29_999;
      sink = new FakeSink();
      assertStrictEquals(sessions.resume(session.id, sink), session);
      clock.now += 60_000;
    }
    sessions.detach(session, sink);
    clock.now += 30_000;
    assertEquals(resumeError(sessions, session.id), ErrorCode.InvalidRequest);
  } finally {
    clock.restore();
  }
});

Deno.test("the late end of an old connection neither detaches nor ends a session", async () => {
  const { sessions, system } = setUp();
  const [old, next] = [new FakeSink(), new FakeSink()];
  const session = sessions.open(old);
  await session.start("p", fakeCommand());
  sessions.detach(session, old);
  sessions.resume(session.id, next);
  sessions.detach(session, old);
  system.newest.say("x");
  assertEquals([session.attached, next.take()], [true, ["process/output p 1"]]);
  assertEquals(resumeError(sessions, session.id), ErrorCode.SessionAttached);
});

Deno.test("a connection that ends twice leaves no deadline for the next one", async () => {
  const { sessions } = setUp();
  const sink = new FakeSink();
  const session = sessions.open(sink);
  sessions.detach(session, sink);
  sessions.detach(session, sink);
  assertStrictEquals(sessions.resume(session.id, sink), session);
  // Deno.test fails when a timer is left.
  await sessions.endAll(0);
});

Deno.test("a connection that ends after its session changes nothing", async () => {
  const { sessions } = setUp();
  const sink = new FakeSink();
  const session = sessions.open(sink);
  await sessions.endAll(0);
  sessions.detach(session, sink);
  assertEquals([sessions.size, resumeError(sessions, session.id)], [0, ErrorCode.InvalidRequest]);
});

Deno.test("when all end, processes are asked first and killed when the time is up", async () => {
  const { sessions, system } = setUp();
  const sink = new FakeSink();
  const session = sessions.open(sink);
  await session.start("p", fakeCommand());
  const { newest } = system;
  newest.kill = () => newest.finish(137);
  await sessions.endAll(1);
  assertEquals(newest.calls, ["requestEnd", "abandon"]);
  assertEquals(sink.take(), ["process/exited p 1", "process/closed p 2"]);
  assertEquals(sessions.size, 0);
});

Deno.test("when all end, processes that end by themselves are waited for and told of", async () => {
  const { sessions, system } = setUp();
  const sink = new FakeSink();
  const session = sessions.open(sink);
  await session.start("p", fakeCommand());
  const { newest } = system;
  newest.requestEnd = () => {
    newest.finish(143);
    return true;
  };
  await sessions.endAll(LONG_MS);
  assertEquals(sink.take(), ["process/exited p 1", "process/closed p 2"]);
  assertEquals(newest.calls, ["abandon"]);
});

Deno.test("when all end, so do detached sessions and those opened meanwhile", async () => {
  const { sessions, system, keeper } = setUp();
  const sink = new FakeSink();
  const detached = sessions.open(sink);
  await detached.start("p", fakeCommand());
  sessions.detach(detached, sink);
  const { newest: first } = system;
  const ended = sessions.endAll(LONG_MS);
  const late = sessions.open(new FakeSink());
  first.finish(0);
  await ended;
  assertEquals([keeper.ended.has(detached), keeper.ended.has(late)], [true, true]);
  assertEquals(sessions.size, 0);
});

Deno.test("when all end, so does the wait for a session that was ending already", async () => {
  const { sessions, system } = setUp(LONG_MS, LONG_MS);
  const session = sessions.open(new FakeSink());
  await session.start("p", fakeCommand());
  sessions.end(session);
  await sessions.endAll(0);
  assertEquals([sessions.size, system.newest.calls.at(-1)], [0, "abandon"]);
  // Deno.test fails when a timer is left.
});

/** A clock that a test sets. Timers, which do not look at it, run as ever. */
class Clock {
  now = performance.now();
  readonly #real = performance.now;

  constructor() {
    performance.now = () => this.now;
  }

  restore(): void {
    performance.now = this.#real;
  }
}

Deno.test("a session with processes is kept as long as its client asks, at most as is granted", async () => {
  const { sessions, system } = setUp(0, 0, LONG_MS);
  const sink = new FakeSink();
  const [asked, empty, silent] = [sessions.open(sink), sessions.open(sink), sessions.open(sink)];
  const wanted = { sessionRetentionMs: 2 * LONG_MS, retainOnDisk: true };
  const granted = { sessionRetentionMs: LONG_MS, retainOnDisk: false };
  assertEquals(sessions.retain(asked, wanted), granted);
  assertEquals(sessions.retain(empty, wanted), granted);
  const nothing = { sessionRetentionMs: undefined, retainOnDisk: undefined };
  assertEquals(sessions.retain(silent, nothing), nothing);
  await asked.start("p", fakeCommand());
  await silent.start("p", fakeCommand());
  for (const session of [asked, empty, silent]) sessions.detach(session, sink);
  system.newest.say("x");
  assertEquals(
    [asked, empty, silent].map(({ id }) => resumeError(sessions, id)),
    [undefined, ErrorCode.InvalidRequest, ErrorCode.InvalidRequest],
  );
  await sessions.endAll(0);
});

Deno.test("a session is taken over only by who says so, and its client is told", async () => {
  const { sessions, system } = setUp();
  const [old, next] = [new FakeSink(), new FakeSink()];
  const session = sessions.open(old);
  await session.start("p", fakeCommand());
  assertEquals(resumeError(sessions, session.id), ErrorCode.SessionAttached);
  assertStrictEquals(sessions.resume(session.id, next, true), session);
  assertEquals(old.sent, [
    JSON.stringify({ method: "session/takenOver", params: { sessionId: session.id } }),
  ]);
  assertEquals(old.closed, true);
  sessions.detach(session, old);
  system.newest.say("x");
  assertEquals(next.take(), ["process/output p 1"]);
  assertEquals(sessions.resume(session.id, new FakeSink(), true).attached, true);
});

Deno.test("whose session somebody else ends learns how its processes ended, and loses its connection", async () => {
  const { sessions, system } = setUp();
  const sink = new FakeSink();
  const session = sessions.open(sink);
  await session.start("p", fakeCommand());
  const { newest } = system;
  newest.kill = () => newest.finish(137);
  sessions.end(session);
  sessions.end(session);
  assertEquals(resumeError(sessions, session.id), ErrorCode.InvalidRequest);
  await eventually(() => sink.closed, "the connection's end");
  assertEquals(newest.calls, ["requestEnd", "abandon"]);
  assertEquals(sink.take(), ["process/exited p 1", "process/closed p 2"]);
});

Deno.test("nothing is started in a session that ends or has ended", async () => {
  const { sessions, system } = setUp(LONG_MS, LONG_MS);
  const session = sessions.open(new FakeSink());
  await session.start("running", fakeCommand());
  const held = Promise.withResolvers<void>();
  system.ready = held.promise;
  const starting = session.start("starting", fakeCommand());
  sessions.end(session);
  held.resolve();
  await starting;
  assertEquals(system.children.map(({ calls }) => calls), [["requestEnd"], ["requestEnd"]]);
  const refused = () => assertRejects(() => session.start("p", fakeCommand()), RpcError, "ended");
  await refused();
  for (const child of system.children) child.finish(143);
  await eventually(() => session.find("running") === undefined, "the session's end");
  await refused();
  assertEquals(system.children.length, 2);
});
