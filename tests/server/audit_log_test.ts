import { assertEquals, assertObjectMatch, assertRejects } from "@std/assert";
import { RetentionPool } from "../../src/process/retention_pool.ts";
import { StartError } from "../../src/process/child.ts";
import { Quota } from "../../src/process/quota.ts";
import { AuditLog } from "../../src/server/audit_log.ts";
import { ClosedProcesses } from "../../src/server/closed_processes.ts";
import { Session } from "../../src/server/session.ts";
import { NO_TELEMETRY } from "../../src/telemetry/telemetry.ts";
import { fakeCommand, FakeSystem } from "../support/fake_child.ts";
import { FakeKeeper } from "../support/fake_keeper.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** Lets a session do something, and reads the log afterwards. */
async function logOf(
  scene: (session: Session, system: FakeSystem) => Promise<void>,
): Promise<Record<string, unknown>[]> {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/audit.jsonl`;
  const system = new FakeSystem();
  {
    await using audit = await AuditLog.open(path, false);
    const session = new Session({
      startChild: system.start,
      keeper: new FakeKeeper(),
      retainedBytes: 1024,
      retentionPool: new RetentionPool(),
      processSlots: new Quota(1000),
      telemetry: NO_TELEMETRY,
      closedProcesses: new ClosedProcesses(1000, 60_000),
      audit,
    });
    await scene(session, system);
    session.end();
  }
  return Deno.readTextFileSync(path).trimEnd().split("\n").map((line) => JSON.parse(line));
}

Deno.test("the end of a command tells what it reached by its network, and what it was denied", async () => {
  const [, end = {}] = await logOf(async (session, system) => {
    await session.start("p", fakeCommand());
    system.newest.sandbox = {
      sandboxType: "linuxSeccomp",
      isDenial: () => true,
      network: { reached: ["good.example:443"], denied: ["bad.example:80"] },
    };
    system.newest.finish(1);
  });
  assertObjectMatch(end, {
    event: "end",
    sandboxType: "linuxSeccomp",
    sandboxDenied: true,
    networkReached: ["good.example:443"],
    networkDenied: ["bad.example:80"],
  });
});

Deno.test("what a session abandons has an end without an exit code, and only one", async () => {
  const records = await logOf(async (session, system) => {
    await session.start("ended", fakeCommand());
    system.newest.finish(0);
    await session.start("abandoned", fakeCommand());
  });
  const ends = records.filter(({ event }) => event === "end");
  assertEquals(ends.map(({ process, outcome, exitCode }) => [process, outcome, exitCode]), [
    ["ended", "exited", 0],
    ["abandoned", "shutdown", null],
  ]);
});

Deno.test("a name that is taken ends nothing, and a start that fails has an end", async () => {
  const records = await logOf(async (session, system) => {
    await session.start("p", fakeCommand());
    await assertRejects(() => session.start("p", fakeCommand()), Error, "already exists");
    system.newest.finish(0);
    system.ready = Promise.reject(new StartError("no such program"));
    // What is taken down comes first.
    system.ready.catch(() => {});
    await assertRejects(() => session.start("missing", fakeCommand()), StartError);
  });
  const ends = records.filter(({ event }) => event === "end");
  assertEquals(ends.map(({ process, outcome, reason }) => [process, outcome, reason]), [
    ["p", "exited", undefined],
    ["missing", "failed", "no such program"],
  ]);
});

Deno.test("lines of many commands at once come whole and in order", async () => {
  const records = await logOf(async (session) => {
    const names = Array.from({ length: 50 }, (_, index) => `p${index}`);
    await Promise.all(names.map((name) => session.start(name, fakeCommand())));
  });
  const starts = records.filter(({ event }) => event === "start").map(({ process }) => process);
  assertEquals(starts, Array.from({ length: 50 }, (_, index) => `p${index}`));
});
