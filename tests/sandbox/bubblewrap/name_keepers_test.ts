import { assertEquals } from "@std/assert";
import { landlockVersion } from "../../../src/os/thread_restrictions.ts";
import { NameKeepers } from "../../../src/sandbox/bubblewrap/name_keepers.ts";

const HOST = { architecture: Deno.build.arch, ownProcesses: true };
const NAMES = { grants: [], reads: false };
const READS = { grants: [], reads: true };
/** More than have threads of their own. */
const SESSIONS = Array.from({ length: 14 }, () => ({}));

/** Enough for as many sets of threads as there can be. */
const MUCH_MEMORY = 2 ** 34;

/** Threads and their descriptors outlast a test by a little. */
function testKeepers(name: string, fn: () => Promise<void>): void {
  const ignore = Deno.build.os !== "linux" || landlockVersion() < 1;
  Deno.test({ name, ignore, sanitizeOps: false, sanitizeResources: false, fn });
}

testKeepers("commands of a session share threads, whatever their policies", async () => {
  using keepers = new NameKeepers();
  const session = {};
  const one = await keepers.lease(session, NAMES, HOST);
  const other = await keepers.lease(
    session,
    { ...NAMES, grants: [{ path: "/", access: "read" }] },
    HOST,
  );
  assertEquals(one.group === other.group, true);
  const reading = await keepers.lease(session, READS, HOST);
  assertEquals(reading.group === one.group, false);
});

testKeepers("sessions share threads only when there are too many", async () => {
  using keepers = new NameKeepers(MUCH_MEMORY);
  const leases = [];
  for (const session of SESSIONS) leases.push(await keepers.lease(session, NAMES, HOST));
  const groups = new Set(leases.map(({ group }) => group));
  assertEquals(groups.size, 12);
  const ended = leases[7];
  ended?.release();
  // Its threads are the next one's.
  const next = await keepers.lease({}, NAMES, HOST);
  assertEquals(next.group === ended?.group, true);
});

testKeepers("sessions share threads sooner where there is little memory", async () => {
  using keepers = new NameKeepers(2 ** 28);
  const leases = [];
  for (const session of SESSIONS) leases.push(await keepers.lease(session, NAMES, HOST));
  assertEquals(new Set(leases.map(({ group }) => group)).size, 1);
});

testKeepers("one more kind of threads is made even then", async () => {
  using keepers = new NameKeepers(MUCH_MEMORY);
  const leases = [];
  for (const session of SESSIONS) leases.push(await keepers.lease(session, NAMES, HOST));
  const reading = await keepers.lease({}, READS, HOST);
  assertEquals(leases.every(({ group }) => group !== reading.group), true);
});
