import { SYS_KCMP } from "./constants.ts";
import { libraryTable } from "./libc.ts";
import { readProcLink, threadsOf } from "./procfs.ts";

const libc = libraryTable({
  kcmp: {
    name: "syscall",
    parameters: ["i64", "i64", "i64", "i64", "i64", "i64"],
    result: "i64",
  },
});

const KCMP_FILES = 2n;

/** The inodes of sockets that a process has open, as far as they are to be seen. */
export function openSocketsOf(pid: number): number[] {
  return descriptorTables(pid).flatMap((table) =>
    openDescriptors(table)
      .filter((target) => target.startsWith(SOCKET))
      .map((target) => Number.parseInt(target.slice(SOCKET.length)))
  );
}

/** What a link to a socket begins with, before its inode (proc_pid_fd(5)). */
const SOCKET = "socket:[";

/** More are listed rather than tried one after the other. */
const MANY = 8;

/**
 * What the descriptors of a table lead to, as far as it is to be seen.
 *
 * Since Linux 6.2 the size of the directory is their number. A few are as a rule the first ones, and to
 * try those is cheaper than to list them.
 */
function openDescriptors(table: string): string[] {
  const count = sizeOf(`/proc/${table}/fd`);
  if (count > 0 && count <= MANY) {
    const first = targetsOf(table, Array.from({ length: count }, (_, descriptor) => descriptor));
    if (first.length === count) return first;
  }
  return targetsOf(table, namesIn(`${table}/fd`));
}

function targetsOf(table: string, descriptors: readonly (string | number)[]): string[] {
  return descriptors.map((descriptor) => readProcLink(`${table}/fd/${descriptor}`))
    .filter((target) => target !== undefined);
}

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}

/** Threads have one table together as a rule (CLONE_FILES, clone(2)). */
function descriptorTables(pid: number): string[] {
  const [first, ...others] = threadsOf(pid);
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

function namesIn(path: string): string[] {
  try {
    return Array.from(Deno.readDirSync(`/proc/${path}`), ({ name }) => name);
  } catch {
    return [];
  }
}
