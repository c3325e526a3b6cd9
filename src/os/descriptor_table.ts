import { SYS_KCMP } from "./constants.ts";
import { libraryTable } from "./libc.ts";
import { readProc } from "./procfs.ts";

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
  /** Whether one of them is the socket. */
  readonly socket: boolean;
  /** Whether descriptors wait in one of its sockets to be received (unix(7), SCM_RIGHTS). */
  readonly descriptorsUnderWay: boolean;
  /** Whether there are any that may not be looked at. */
  readonly hidden: boolean;
}

/** Looks for a socket among the descriptors of a process, those that only a thread has included. */
export function lookForSocket(pid: number, inode: number): OpenFiles {
  const name = `socket:[${inode}]`;
  let [socket, descriptorsUnderWay, hidden] = [false, false, false];
  for (const table of descriptorTables(pid)) {
    const descriptors = namesIn(`${table}/fd`);
    if (descriptors === undefined) {
      hidden = isAlive(pid) || hidden;
      continue;
    }
    for (const descriptor of descriptors) {
      const target = linkOf(`/proc/${table}/fd/${descriptor}`);
      if (target === "hidden") hidden = true;
      if (target === name) socket = true;
      if (target?.startsWith("socket:") && !descriptorsUnderWay) {
        descriptorsUnderWay = /^scm_fds:\s*[1-9]/m.test(readProc(`${table}/fdinfo/${descriptor}`));
      }
    }
  }
  return { socket, descriptorsUnderWay, hidden };
}

/** Whether a process has given up all ways to get more rights (no_new_privs, prctl(2)). */
export function hasNoNewPrivileges(pid: number): boolean {
  return /^NoNewPrivs:\s*1$/m.test(readProc(`${pid}/status`));
}

/** Whether a process is there and has not ended. */
export function isAlive(pid: number): boolean {
  const state = /^State:\s*(\S)/m.exec(readProc(`${pid}/status`))?.[1];
  return state !== undefined && state !== "Z" && state !== "X";
}

/** Threads have one table together as a rule (CLONE_FILES, clone(2)). */
function descriptorTables(pid: number): string[] {
  const threads = namesIn(`${pid}/task`) ?? [];
  const [first, ...others] = threads.map(Number).filter((id) => isAlive(id));
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

function linkOf(path: string): string | "hidden" | undefined {
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
