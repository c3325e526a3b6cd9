import { assert, assertEquals } from "@std/assert";
import { ClosedProcesses } from "../../src/server/closed_processes.ts";
import { RetentionPool } from "../../src/process/retention_pool.ts";
import { Executor } from "../../src/server/executor.ts";
import { Sessions } from "../../src/server/sessions.ts";
import { Quota } from "../../src/process/quota.ts";
import { eventually } from "../support/patience.ts";
import { type FakeChild, fakeCommand, FakeSystem } from "../support/fake_child.ts";
import { pick, seededRandom } from "../support/seeded_random.ts";
import { FakeKeeper } from "../support/fake_keeper.ts";
import { FakeSink, FakeTransport } from "../support/fake_transport.ts";
import { RecordedTelemetry } from "../support/recorded_telemetry.ts";

function setUp(detachedLifeMs: number) {
  const [system, telemetry] = [new FakeSystem(), new RecordedTelemetry()];
  const sessions = new Sessions({
    startChild: system.start,
    keeper: new FakeKeeper(),
    retainedBytes: 1024,
    retentionPool: new RetentionPool(),
    processSlots: new Quota(100_000),
    closedProcesses: new ClosedProcesses(1000, 0),
    detachedLifeMs,
    graceMs: 0,
    maxSessions: 1000,
    telemetry,
  });
  return { system, telemetry, sessions };
}

/** Things that end a process; a child that is killed exits too, sooner or later or never. */
type Step = "exit" | "terminate" | "expire" | "requestEnd" | "nothing";

const STEPS: readonly [Step, ...Step[]] = ["exit", "terminate", "expire", "requestEnd", "nothing"];

Deno.test("every process that started has one outcome, whatever races", async () => {
  const random = seededRandom(20_261_123);
  const { system, telemetry, sessions } = setUp(0);
  let started = 0;
  for (let round = 0; round < 100; round++) {
    const sink = new FakeSink();
    const session = sessions.open(sink);
    const held = Promise.withResolvers<void>();
    system.ready = held.promise;
    const late = session.start("late", fakeCommand());
    system.ready = Promise.resolve();
    const names = ["a", "b", "c", "d"] as const;
    const children = new Map<string, FakeChild>();
    for (const name of names) {
      await session.start(name, fakeCommand());
      children.set(name, system.newest);
    }
    started += names.length + 1;
    const exited = new Set<string>();
    for (let step = 0; step < 12; step++) {
      const name = pick(random, names);
      const process = await session.find(name);
      switch (pick(random, STEPS)) {
        case "exit":
          if (!exited.has(name)) children.get(name)?.finish(0);
          exited.add(name);
          break;
        case "terminate":
          process?.terminate();
          break;
        case "requestEnd":
          process?.requestEnd();
          break;
        case "expire":
          if (step > 8) sessions.detach(session, sink);
          break;
      }
    }
    held.resolve();
    await late;
    if (round % 2 === 0) sessions.detach(session, sink);
  }
  await sessions.endAll(0);
  // What is told by children that nobody listens to any more changes nothing.
  for (const child of system.children) child.tell.exited(137);
  assertEquals(telemetry.outcomes.length, started);
  for (const outcome of ["exited", "terminated", "shutdown"] as const) {
    assert(telemetry.outcomes.includes(outcome), outcome);
  }
});

Deno.test("the first to decide how a process ends is told", async () => {
  const cases: [steps: string[], outcome: string][] = [
    [["exit", "terminate", "expire"], "exited"],
    [["terminate", "exit", "expire"], "terminated"],
    [["terminate", "expire", "exit"], "terminated"],
    [["requestEnd", "exit", "expire"], "shutdown"],
    [["requestEnd", "terminate", "expire"], "shutdown"],
    [["expire", "exit"], "shutdown"],
  ];
  for (const [steps, outcome] of cases) {
    const { system, telemetry, sessions } = setUp(0);
    const sink = new FakeSink();
    const session = sessions.open(sink);
    const process = await session.start("p", fakeCommand());
    for (const step of steps) {
      if (step === "exit") system.newest.tell.exited(0);
      if (step === "terminate") process.terminate();
      if (step === "requestEnd") session.requestEnd();
      if (step !== "expire") continue;
      sessions.detach(session, sink);
      await eventually(() => sessions.size === 0, "the session's end");
    }
    assertEquals(telemetry.outcomes, [outcome], steps.join());
  }
});

Deno.test("a process whose start fails was never there", async () => {
  const { system, telemetry, sessions } = setUp(60_000);
  const session = sessions.open(new FakeSink());
  system.ready = Promise.reject(new Error("no"));
  await session.start("p", fakeCommand()).catch(() => {});
  await sessions.endAll(0);
  assertEquals(telemetry.outcomes, []);
});

Deno.test("active counts and requests are those of the moment", async () => {
  const [system, telemetry] = [new FakeSystem(), new RecordedTelemetry()];
  const options = { startChild: system.start, keeper: new FakeKeeper(), telemetry };
  const executor = new Executor({ ...options, detachedLifeMs: 0, graceMs: 0 });
  const active = () => {
    const { connections, sessions, processes } = telemetry.counts ?? {};
    return [connections?.("stdio"), connections?.("unix"), sessions?.(), processes?.()];
  };
  assertEquals(active(), [0, 0, 0, 0]);
  const transport = new FakeTransport();
  const served = executor.serve(transport);
  transport.receive({ id: 0, method: "initialize", params: { clientName: "test" } });
  transport.receive({ method: "initialized" });
  const params = { processId: "p", argv: ["a"], cwd: "file:///", env: {}, tty: false };
  transport.receive({ id: 1, method: "process/start", params });
  transport.receive({ id: 2, method: "toString" });
  transport.receive({ id: 3, method: "process/read", params: { processId: "p", waitMs: 60_000 } });
  await eventually(() => active()[3] === 1, "the process");
  assertEquals(active(), [1, 0, 1, 1]);
  transport.vanish();
  await served;
  assertEquals(active()[0], 0);
  await eventually(() => active()[2] === 0 && active()[3] === 0, "the session's end");
  assertEquals(active(), [0, 0, 0, 0]);
  assertEquals(telemetry.outcomes, ["shutdown"]);
  assertEquals(telemetry.connections, ["stdio"]);
  await eventually(() => telemetry.requests.length === 4, "the outcome of every request");
  assertEquals(telemetry.requests.toSorted(), [
    ["initialize", "success"],
    ["process/read", "cancelled"],
    ["process/start", "success"],
    ["unknown", "error"],
  ]);
  await executor.shutDown(0);
});
