import { SystemError } from "./errno.ts";
import { libraryTable, linuxTable } from "./libc.ts";
import { groupNumber, ownControlGroups } from "./control_hierarchies.ts";
import { readProc } from "./procfs.ts";
import { lendPollersThread } from "./epoll.ts";

const limits = linuxTable({
  prlimit: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" },
});
const calls = libraryTable({
  /** Does nothing, on another thread. */
  getppid_elsewhere: { name: "getppid", parameters: [], result: "i32", nonblocking: true },
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
  if (limits()?.prlimit(ITSELF, RLIMIT_NPROC, null, bytes) !== 0) return true;
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

/** How often the thread is used, in milliseconds: the runtime ends one that idles for 10 s. */
const USE_MS = 4_000;
/** An answer that takes longer, in milliseconds, says that no thread is free. */
const LATE_MS = 20;

/**
 * Keeps a thread that answers requests when the system lets this program have no more of them
 * (RLIMIT_NPROC, `pids.max` of a cgroup).
 *
 * The runtime does what may take long on threads that it starts when they are needed, and where none
 * can be started that work waits for one of those that are there. The poller occupies one for good, so
 * another is kept. Should that be occupied too, by a file system that does not answer or because it
 * could never be started, the poller lends its own.
 */
export function reserveThread(): void {
  void use();
}

async function use(): Promise<void> {
  let late = false;
  const lend = setInterval(() => {
    late = true;
    lendPollersThread();
  }, LATE_MS);
  try {
    await calls().getppid_elsewhere();
  } finally {
    clearInterval(lend);
  }
  // Work that has several steps needs the thread for each of them.
  Deno.unrefTimer(setTimeout(use, late ? 0 : USE_MS));
}
