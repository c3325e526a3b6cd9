import { assert, assertEquals, assertRejects } from "@std/assert";
import { landlockVersion } from "../../../src/os/thread_restrictions.ts";
import type { ProgramLaunch } from "../../../src/os/spawn.ts";
import { SpawnError, spawnProgram } from "../../../src/os/spawn.ts";
import { processStatus } from "../../../src/os/procfs.ts";
import { killAndReap, reap, Signal, signalProcess } from "../../../src/os/signals.ts";
import { startLinuxChildBy } from "../../../src/process/linux/start.ts";
import { RpcError } from "../../../src/protocol/errors.ts";
import { groupLimits, GroupPool } from "../../../src/sandbox/restricted_threads/group_pool.ts";
import type {
  GroupPlan,
  RestrictedGroup,
} from "../../../src/sandbox/restricted_threads/restricted_group.ts";
import { governed, pathRule } from "../../../src/sandbox/landlock/rights.ts";
import { seccompFilter } from "../../../src/sandbox/seccomp/filter.ts";
import { eventually } from "../../support/patience.ts";

const version = Deno.build.os === "linux" ? landlockVersion() : 0;
const ignore = version < 6;

const OWNER = {};
const SUPERVISED = {
  names: true,
  metadata: true,
  reads: false,
  connections: false,
  signals: false,
};

function plan(granted = "/"): GroupPlan {
  const options = { architecture: Deno.build.arch, network: "restricted" } as const;
  return {
    restrictions: {
      landlock: {
        governed: governed(false, version),
        rules: [pathRule({ path: granted, access: "write" }, version)],
        ports: [],
        besides: undefined,
      },
      filter: seccompFilter({ ...options, supervised: SUPERVISED }),
      supervised: true,
    },
    supervised: {
      kind: "alike",
      policy: { grants: [{ path: "/", access: "read" }], devices: [], ports: [] },
    },
    architecture: Deno.build.arch,
  };
}

function launch(script: string): ProgramLaunch {
  const argv = ["/bin/sh", "-c", script];
  return { candidates: ["/bin/sh"], argv, cwd: "/", env: {}, descriptors: [] };
}

/** The threads that commands are started by. */
function take(pool: GroupPool, key: string, make: () => GroupPlan): Promise<RestrictedGroup> {
  return takeFor(OWNER, pool, key, make);
}

function takeFor(owner: object, pool: GroupPool, key: string, make: () => GroupPlan) {
  return pool.use(owner, key, make, (group) => Promise.resolve(group));
}

/** Waits for the end of a child. */
async function exitCode(pid: number): Promise<number | undefined> {
  let code: number | undefined;
  await eventually(() => (code = reap(pid)) !== undefined, "the command's end");
  return code;
}

/** Threads and their descriptors outlast a test by a little. */
function testPool(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore, sanitizeOps: false, sanitizeResources: false, fn });
}

testPool("commands with the same plan share their threads", async () => {
  using pool = new GroupPool();
  const groups = await Promise.all([1, 2, 3].map(() => take(pool, "a", plan)));
  assertEquals(new Set(groups).size, 1);
  const pids = await Promise.all(groups.map((group) => group.spawn(launch("exit 7"))));
  for (const pid of pids) assertEquals(await exitCode(pid), 7);
  assertEquals(await take(pool, "a", () => plan("/nowhere")), groups[0]);
  assert(await take(pool, "b", plan) !== groups[0]);
  assertEquals(pool.size, 2);
});

testPool("a command that cannot be started fails alone", async () => {
  using pool = new GroupPool();
  const group = await take(pool, "a", plan);
  const missing = { ...launch(""), candidates: ["/nowhere"] };
  await assertRejects(() => group.spawn(missing), SpawnError, "No such file or directory");
  assertEquals(await exitCode(await group.spawn(launch("exit 3"))), 3);
});

testPool("a plan that cannot be put in force is told, and the next is made", async () => {
  using pool = new GroupPool();
  const directory = await Deno.makeTempDir();
  try {
    await Deno.symlink("/", `${directory}/link`);
    await assertRejects(
      () => take(pool, "a", () => plan(`${directory}/link`)),
      RpcError,
      "nothing was started: ",
    );
    assertEquals(pool.size, 0);
    const group = await take(pool, "a", plan);
    assertEquals(await exitCode(await group.spawn(launch("exit 0"))), 0);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

testPool("of threads with nothing to do the last are kept for longer", async () => {
  using pool = new GroupPool({ idleMs: 20, lastIdleMs: 600_000 });
  const groups = [await take(pool, "a", plan), await take(pool, "b", plan)];
  await eventually(() => pool.size === 1, "those of one plan to end");
  assertEquals(groups.filter(({ works }) => works).length, 1);
});

testPool(
  "threads with nothing to do end, and what commands left behind stays supervised",
  async () => {
    using pool = new GroupPool({ idleMs: 20, lastIdleMs: 20 });
    const { group, pid } = await pool.use(OWNER, "a", plan, async (group) => ({
      group,
      pid: await group.spawn(launch("sleep 600")),
    }));
    // From now on it counts for what an ended command has left.
    group.exited(pid);
    await eventually(() => !group.works, "the idle threads to end");
    assertEquals(pool.size, 1);
    killAndReap(pid);
    await eventually(() => pool.size === 0, "the supervisor to end");
    const next = await pool.use(OWNER, "a", plan, (group) => group.spawn(launch("exit 0")));
    assertEquals(await exitCode(next), 0);
  },
);

testPool("owners get each other's threads when no process of theirs is left", async () => {
  let left = true;
  using pool = new GroupPool({ mayHaveLeftProcesses: () => left });
  const group = await takeFor(OWNER, pool, "a", plan);
  const pid = await group.spawn(launch("sleep 600"));
  assert(await takeFor({}, pool, "a", plan) !== group);
  left = false;
  assert(await takeFor({}, pool, "a", plan) !== group);
  killAndReap(pid);
  group.exited(pid);
  // While one starts a command, no other does.
  await pool.use(OWNER, "a", plan, async (own) => {
    assertEquals(own, group);
    assert(await takeFor({}, pool, "a", plan) !== group);
  });
  assertEquals(pool.size, 2);
});

testPool("no more plans than so many are in force", async () => {
  using pool = new GroupPool({ maxGroups: 1, roomMs: 5_000 });
  const first = await take(pool, "a", plan);
  const pid = await first.spawn(launch("exit 0"));
  assertEquals(await exitCode(pid), 0);
  first.exited(pid);
  await take(pool, "b", plan);
  assertEquals([pool.size, first.works], [1, false]);
});

testPool(
  "past so many plans a new one takes the place of the one that was idle longest",
  async () => {
    using pool = new GroupPool({ keptGroups: 2 });
    const [first, second] = [await take(pool, "a", plan), await take(pool, "b", plan)];
    const pid = await first.spawn(launch("sleep 600"));
    await take(pool, "c", plan);
    await eventually(() => !second.works, "the idle threads to end");
    // Those that are needed stay, however many they are.
    const leases = await Promise.all(["d", "e", "f"].map((key) => pool.lease(OWNER, key, plan)));
    assertEquals([first.works, ...leases.map(({ group }) => group.works)], [
      true,
      true,
      true,
      true,
    ]);
    killAndReap(pid);
    first.exited(pid);
  },
);

testPool("a plan waits for the room of those that are ending", async () => {
  using pool = new GroupPool({ maxGroups: 2, keptGroups: 1, roomMs: 5_000 });
  for (const key of ["a", "b", "c", "d", "e", "f"]) {
    assert((await take(pool, key, plan)).works);
    assert(pool.size <= 2);
  }
});

Deno.test("how many plans are in force, and kept so, goes by the memory that there is", () => {
  const limits = [0.25, 1, 4, 64].map((gibibytes) => groupLimits(gibibytes * 2 ** 30));
  assertEquals(limits.map(({ maxGroups }) => maxGroups), [2, 11, 24, 24]);
  assertEquals(limits.map(({ keptGroups }) => keptGroups), [1, 5, 22, 24]);
});

testPool("no more plans than so many are in force when several come at once", async () => {
  using pool = new GroupPool({ maxGroups: 1 });
  const leases = await Promise.allSettled(
    ["a", "b", "c"].map((key) => pool.lease(OWNER, key, plan)),
  );
  assertEquals(leases.map(({ status }) => status), ["fulfilled", "rejected", "rejected"]);
  assertEquals(pool.size, 1);
});

testPool("whoever comes back for a plan while room is made keeps its threads", async () => {
  using pool = new GroupPool({ maxGroups: 2, roomMs: 100 });
  const first = await take(pool, "a", plan);
  const left = await first.spawn(launch("sleep 600"));
  first.exited(left);
  await take(pool, "b", plan);
  const refused = assertRejects(() => take(pool, "c", plan), RpcError, "different sandboxes");
  const { group, release } = await pool.lease(OWNER, "b", plan);
  await refused;
  assert(group.works);
  release();
  killAndReap(left);
});

testPool("plans whose commands still run keep others out", async () => {
  using pool = new GroupPool({ maxGroups: 1, roomMs: 50 });
  const group = await take(pool, "a", plan);
  const pid = await group.spawn(launch("sleep 600"));
  await assertRejects(
    () => take(pool, "b", plan),
    RpcError,
    "different sandboxes are running",
  );
  assertEquals(await take(pool, "a", plan), group);
  killAndReap(pid);
});

testPool("a command of which nobody wants to hear any more does not hold its threads", async () => {
  using pool = new GroupPool({ mayHaveLeftProcesses: () => false });
  const group = await takeFor(OWNER, pool, "a", plan);
  const { descriptors: _, ...sleeping } = launch("exec sleep 600");
  const nobody = { output: () => {}, exited: () => {}, ended: () => {} };
  const child = await startLinuxChildBy(group, sleeping, { kind: "pipes", stdin: "empty" }, nobody);
  assert(group.running);
  child.abandon();
  child.kill();
  await eventually(() => !group.running, "the end of the command");
  assertEquals(await takeFor({}, pool, "a", plan), group);
});

testPool("whoever has the number of an ended command is not taken for what it left", async () => {
  using pool = new GroupPool();
  const group = await take(pool, "a", plan);
  // Without exec a shell that has come so far leaves a process behind when it is ended alone.
  const { pid } = spawnProgram(launch("exec sleep 600"));
  group.watch(pid, () => {});
  group.exited(pid);
  group.fail(new Error("as if a thread had failed"));
  signalProcess(pid, Signal.Terminate);
  assertEquals(await exitCode(pid), 128 + Signal.Terminate);
});

testPool("commands do not outlive their supervisor", async () => {
  using pool = new GroupPool();
  const group = await take(pool, "a", plan);
  const pid = await group.spawn(launch("sleep 600"));
  group.watch(pid, () => killAndReap(pid));
  group.fail(new Error("as if a thread had failed"));
  await eventually(() => processStatus(pid) === undefined, "the command's end");
  await assertRejects(() => group.spawn(launch("")), RpcError, "as if a thread had failed");
  await eventually(() => pool.size === 0, "the group to be forgotten");
});
