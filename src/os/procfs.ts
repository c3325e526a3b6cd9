import { closeDescriptor, type Descriptor, readDescriptor } from "./descriptor.ts";
import { openForReading } from "./pipes.ts";
import { Signal, signalProcess } from "./signals.ts";

/**
 * Process ids of the processes that a process is the parent of, those of all its threads.
 *
 * From /proc/PID/task/TID/children (proc_pid_task(5)); empty for a process that is gone and on
 * kernels built without CONFIG_PROC_CHILDREN.
 */
export function childrenOf(pid: number): number[] {
  const children: number[] = [];
  for (const thread of threadsOf(pid)) children.push(...childrenOfThread(pid, thread));
  return children;
}

/** The same for the first thread alone, which is the one that adopts orphans (prctl(2)). */
export function childrenOfMainThread(pid: number): number[] {
  return childrenOfThread(pid, pid);
}

/** The same for all threads but the first. */
export function childrenOfOtherThreads(pid: number): number[] {
  return threadsOf(pid).filter((thread) => thread !== pid)
    .flatMap((thread) => childrenOfThread(pid, thread));
}

/** All that descend from a process, nearest first, without the process itself. */
export function descendantsOf(pid: number): number[] {
  const found: number[] = [];
  const seen = new Set([pid]);
  const visit = (parent: number) => {
    for (const child of childrenOf(parent)) {
      if (seen.has(child)) continue;
      seen.add(child);
      found.push(child);
      visit(child);
    }
  };
  visit(pid);
  return found;
}

/** What the kernel says of a process; undefined when it is gone. */
export interface ProcessStatus {
  /** Ended, but not reaped by its parent yet. */
  readonly zombie: boolean;
  /** The process id of its parent, 0 when that is not to be seen from here. */
  readonly parent: number;
  /** The process group that it belongs to (setpgid(2)). */
  readonly group: number;
  /** The session that it belongs to (setsid(2)). */
  readonly session: number;
  /** The number of the terminal that controls it, 0 if there is none. */
  readonly terminal: number;
}

/** The parent of a process; 0 when there is none, or it is not to be seen from here. */
export function parentOf(pid: number): number {
  return processStatus(pid)?.parent ?? 0;
}

/** Whether a process has not ended. One that cannot be looked at is taken to run. */
export function isRunning(pid: number): boolean {
  return processStatus(pid)?.zombie !== true;
}

/** Longer than any status; read at once, since each read has the kernel put it together anew. */
const statusBytes = new Uint8Array(new ArrayBuffer(8192));
const latin1 = new TextDecoder("latin1");
const PARENT = /^PPid:\t(\d+)$/m;
/** Both sets of capabilities by which a process could still do something. */
const POWERLESS = /^CapPrm:\t0+\nCapEff:\t0+$/m;

/** The parent of a process, and whether it has no capabilities; undefined when it is gone. */
export function parentAndPower(
  pid: number,
): { readonly parent: number; readonly powerless: boolean } | undefined {
  let file: Descriptor;
  try {
    file = openForReading(`/proc/${pid}/status`);
  } catch {
    return undefined;
  }
  const length = readDescriptor(file, statusBytes);
  closeDescriptor(file);
  if (length <= 0) return undefined;
  const text = latin1.decode(statusBytes.subarray(0, length));
  return { parent: Number(PARENT.exec(text)?.[1]), powerless: POWERLESS.test(text) };
}

/** What a link below /proc leads to; undefined when its process is gone or is not to be looked at. */
export function readProcLink(path: string): string | undefined {
  try {
    return Deno.readLinkSync(`/proc/${path}`);
  } catch {
    return undefined;
  }
}

/** Looks a process up (proc_pid_stat(5)). */
export function processStatus(pid: number): ProcessStatus | undefined {
  const stat = readProc(`${pid}/stat`);
  if (stat === "") return undefined;
  // The name in the second field is in parentheses and may hold any character, those included.
  const [state, parent, group, session, terminal] = stat.slice(stat.lastIndexOf(")") + 2).split(
    " ",
  );
  return {
    zombie: state === "Z",
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    terminal: Number(terminal),
  };
}

/** The same for one thread: those that it has started, and that have not been reaped. */
export function childrenOfThread(pid: number, thread: number): number[] {
  return numbersIn(readProc(`${pid}/task/${thread}/children`));
}

/** A directory's links are its subdirectories and the two that every one has. */
const LINKS_OF_ONE_THREAD = 3;

/** The ids of a process's threads, the ended first one included; none of a process that is gone. */
export function threadsOf(pid: number): number[] {
  try {
    // Most have one, and to count is far cheaper than to list.
    if (Deno.statSync(`/proc/${pid}/task`).nlink === LINKS_OF_ONE_THREAD) return [pid];
    return Array.from(Deno.readDirSync(`/proc/${pid}/task`), ({ name }) => Number(name));
  } catch {
    return [];
  }
}

/** The text of a file below /proc, empty when its process is gone. */
export function readProc(path: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${path}`);
  } catch {
    return "";
  }
}

function numbersIn(text: string): number[] {
  return text.split(" ").filter((word) => word.trim() !== "").map(Number);
}

/**
 * Kills a process and all its descendants, also those that left its session.
 *
 * They are stopped first, one generation after the other: a process that runs could start another
 * one between the look at the list and its death.
 */
export function killTree(root: number): void {
  const stopped = new Set<number>();
  const stop = (pid: number) => {
    stopped.add(pid);
    signalProcess(pid, Signal.Stop);
  };
  for (let found = [root]; found.length > 0;) {
    found.forEach(stop);
    found = descendantsOf(root).filter((pid) => !stopped.has(pid));
  }
  for (const pid of stopped) signalProcess(pid, Signal.Kill);
}
