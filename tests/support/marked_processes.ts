import { eventually } from "./patience.ts";

/**
 * Finds the processes of one test by a number in their command lines, as in `sleep 9000.123456`.
 *
 * Whatever became of their parents, sessions and groups, the command line stays.
 */
export class MarkedProcesses implements AsyncDisposable {
  /** A duration that sleep(1) takes and nobody else uses. */
  readonly duration = `9000.${crypto.getRandomValues(new Uint32Array(1))[0]}`;

  /** Process ids of those alive; zombies have no command line. */
  find(): number[] {
    return processIds().filter((pid) => commandLine(pid).includes(this.duration));
  }

  /** Waits until so many are alive. */
  async reach(count: number): Promise<void> {
    await eventually(() => this.find().length === count, `${count} marked processes`);
  }

  /** Kills what a failed test left. */
  // deno-lint-ignore require-await
  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.find()) Deno.kill(pid, "SIGKILL");
  }
}

/** Whether any child of a process is a zombie. */
export function hasZombieChildren(parent: number): boolean {
  return processIds().some((pid) => {
    const [state, ppid] = statusFields(pid);
    return state === "Z" && Number(ppid) === parent;
  });
}

/** Process ids of the children of a process whose command lines include a text. */
export function childrenWith(parent: number, text: string): number[] {
  return processIds().filter((pid) =>
    Number(statusFields(pid)[1]) === parent && commandLine(pid).includes(text)
  );
}

/** Whether a process whose arguments, joined by NUL, include a text waits for room in a pipe. */
export function isBlockedWriting(text: string): boolean {
  return processIds().some((pid) =>
    commandLine(pid).includes(text) && read(`/proc/${pid}/wchan`).includes("pipe_write")
  );
}

function processIds(): number[] {
  return Array.from(Deno.readDirSync("/proc"), ({ name }) => Number(name)).filter(Number.isInteger);
}

function commandLine(pid: number): string {
  return read(`/proc/${pid}/cmdline`);
}

/** The fields of proc_pid_stat(5) from the state on. */
function statusFields(pid: number): string[] {
  const stat = read(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
