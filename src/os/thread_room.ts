import { SystemError } from "./errno.ts";
import { linuxTable } from "./libc.ts";
import { groupNumber, ownControlGroups } from "./own_control_groups.ts";
import { readProc } from "./procfs.ts";

const libc = linuxTable({
  prlimit: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" },
});

const RLIMIT_NPROC = 6;
/** This program, in place of a process id. */
const ITSELF = 0;

/** A worker has some threads of the runtime's before any of its own code runs. */
const WORKERS_THREADS = 8;

/**
 * Refuses where the system lets this program have hardly any more threads (RLIMIT_NPROC, `pids.max` of
 * a control group): the runtime can tell when it cannot start the thread of a worker, but it ends the
 * program when it cannot start one of that thread's helpers.
 *
 * @throws {SystemError} EAGAIN
 */
export function requireRoomForWorker(): void {
  if (roomInGroups() < WORKERS_THREADS || !hasRoomOfUser()) throw new SystemError("EAGAIN");
}

function roomInGroups(): number {
  const rooms = ownControlGroups("pids").map((group) => {
    const most = groupNumber(group, "pids.max");
    return most === undefined ? Infinity : most - (groupNumber(group, "pids.current") ?? 0);
  });
  return Math.min(Infinity, ...rooms);
}

/** The limit is not for root (getrlimit(2)). */
function hasRoomOfUser(): boolean {
  const uid = Deno.uid();
  if (uid === 0) return true;
  const limit = new BigUint64Array(2);
  const bytes = new Uint8Array(limit.buffer);
  if (libc()?.prlimit(ITSELF, RLIMIT_NPROC, null, bytes) !== 0) return true;
  const most = Number(limit[0]) - WORKERS_THREADS;
  return threadsOfAll() <= most || threadsOf(uid) <= most;
}

/** The threads of everybody (proc_loadavg(5)), which are at least as many as a user's. */
function threadsOfAll(): number {
  return Number(/\/(\d+) /.exec(readProc("loadavg"))?.[1] ?? Infinity);
}

function threadsOf(uid: number | null): number {
  let threads = 0;
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d/.test(name)) continue;
    const status = readProc(`${name}/status`);
    if (Number(/^Uid:\t(\d+)/m.exec(status)?.[1]) !== uid) continue;
    threads += Number(/^Threads:\t(\d+)/m.exec(status)?.[1] ?? 0);
  }
  return threads;
}
