import { SYS_KCMP } from "./constants.ts";
import { libraryTable } from "./libc.ts";
import { readProc, threadsOf } from "./procfs.ts";

const libc = libraryTable({
  kcmp: {
    name: "syscall",
    parameters: ["i64", "i64", "i64", "i64", "i64", "i64"],
    result: "i64",
  },
});

const KCMP_FILES = 2n;

/** What is to be seen of a process's descriptors. */
export interface OpenFiles {
  /** The inodes of those that are sockets. */
  readonly sockets: readonly number[];
  /** Whether descriptors wait in one of its sockets to be received (unix(7), SCM_RIGHTS). */
  readonly descriptorsUnderWay: boolean;
  /** Whether there are any that may not be looked at. */
  readonly hidden: boolean;
}

/** Looks at the descriptors of a process, those that only a thread has included. */
export function openFilesOf(pid: number): OpenFiles {
  const sockets: number[] = [];
  let [descriptorsUnderWay, hidden] = [false, false];
  for (const table of descriptorTables(pid)) {
    const descriptors = openDescriptors(table);
    if (descriptors === undefined) {
      hidden = isAlive(pid) || hidden;
      continue;
    }
    for (const [descriptor, target] of descriptors) {
      if (target === "hidden") hidden = true;
      const inode = socketInode(target);
      if (inode === undefined) continue;
      sockets.push(inode);
      descriptorsUnderWay ||= /^scm_fds:\s*[1-9]/m.test(readProc(`${table}/fdinfo/${descriptor}`));
    }
  }
  return { sockets, descriptorsUnderWay, hidden };
}

/** The inodes of sockets that a process's first thread has open, as far as they are to be seen. */
export function openSocketsOf(pid: number): number[] {
  return (openDescriptors(`${pid}`) ?? []).map(([, target]) => socketInode(target))
    .filter((inode) => inode !== undefined);
}

/** What a link to a socket begins with, before its inode (proc_pid_fd(5)). */
const SOCKET = "socket:[";

/** What links have to say; undefined for one that is gone meanwhile. */
type Target = string | "hidden" | undefined;

function socketInode(target: Target): number | undefined {
  return target?.startsWith(SOCKET) ? Number.parseInt(target.slice(SOCKET.length)) : undefined;
}

/** More are listed rather than tried one after the other. */
const MANY = 8;

/**
 * The descriptors of a table and what they lead to; undefined if they may not be looked at.
 *
 * Since Linux 6.2 the size of the directory is their number. A few are as a rule the first ones, and to
 * try those is cheaper than to list them.
 */
function openDescriptors(table: string): (readonly [descriptor: number, Target])[] | undefined {
  const count = sizeOf(`/proc/${table}/fd`);
  if (count > 0 && count <= MANY) {
    const first = targetsOf(table, Array.from({ length: count }, (_, descriptor) => descriptor));
    if (first.every(([, target]) => target !== undefined && target !== "hidden")) return first;
  }
  const listed = namesIn(`${table}/fd`);
  return listed && targetsOf(table, listed.map(Number));
}

function targetsOf(table: string, descriptors: readonly number[]) {
  return descriptors.map((descriptor): readonly [number, Target] => [
    descriptor,
    linkOf(`/proc/${table}/fd/${descriptor}`),
  ]);
}

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}

/** Whether a process is there and has not ended. */
function isAlive(pid: number): boolean {
  const state = /^State:\s*(\S)/m.exec(readProc(`${pid}/status`))?.[1];
  return state !== undefined && state !== "Z" && state !== "X";
}

/** Threads have one table together as a rule (CLONE_FILES, clone(2)). */
function descriptorTables(pid: number): string[] {
  const threads = threadsOf(pid);
  // What there is to be seen of the only one tells whether it is alive.
  if (threads.length === 1) return threads.map((thread) => `${pid}/task/${thread}`);
  const [first, ...others] = threads.filter((id) => isAlive(id));
  if (first === undefined) return [];
  return [first, ...others.filter((thread) => !shareFiles(first, thread))]
    .map((thread) => `${pid}/task/${thread}`);
}

/** Asks the kernel (kcmp(2)), which may not tell. */
function shareFiles(one: number, other: number): boolean {
  const answer = libc().kcmp(
    SYS_KCMP,
    BigInt(one),
    BigInt(other),
    KCMP_FILES,
    0n,
    0n,
  );
  return answer === 0n;
}

function linkOf(path: string): Target {
  try {
    return Deno.readLinkSync(path);
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? undefined : "hidden";
  }
}

function namesIn(path: string): string[] | undefined {
  try {
    return Array.from(Deno.readDirSync(`/proc/${path}`), ({ name }) => name);
  } catch {
    return undefined;
  }
}
