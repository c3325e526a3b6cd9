import { fileURLToPath } from "node:url";
import { eventually, settled } from "../support/patience.ts";

const PROGRAM = fileURLToPath(new URL("small_executor.ts", import.meta.url));
const MARK = "REMEX_TEST_MARK";

/** A process that descends from a small executor, or did. */
export interface MarkedProcess {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  readonly command: string;
}

/** A {@linkcode PROGRAM small executor} in a process of its own, and an eye on its descendants. */
export class WatchedExecutor {
  readonly #mark = crypto.randomUUID();
  readonly #process: Deno.ChildProcess;
  readonly #orders: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: string[] = [];
  readonly #lines: string[] = [];
  readonly #reading: Promise<void>;

  constructor() {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "--allow-all", PROGRAM],
      env: { [MARK]: this.#mark },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#orders = this.#process.stdin.getWriter();
    this.#reading = this.#read();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** The sessions that are in the watchdog's care. */
  watched(): number[] {
    const watched = new Set<number>();
    for (const line of this.#lines) {
      const [event, session] = line.split(" ");
      if (event === "watching") watched.add(Number(session));
      if (event === "released") watched.delete(Number(session));
    }
    return [...watched];
  }

  /** Whether it has printed a line that begins so. */
  hasSaidSomething(start: string): boolean {
    return this.#lines.some((line) => line.startsWith(start));
  }

  /** Gives an order and returns the answer; NaN for none. */
  async order(line: string): Promise<number> {
    await this.#orders.write(new TextEncoder().encode(`${line}\n`));
    await eventually(() => this.#answers.length > 0, `the answer to ${line}`);
    return Number(this.#answers.shift());
  }

  /** What descends from it and has not ended, but for the watchdog. */
  descendants(): MarkedProcess[] {
    return processesWith(`${MARK}=${this.#mark}`).filter(({ pid }) => pid !== this.pid);
  }

  /** How many of its descendants run a command line. */
  count(command: string): number {
    return this.descendants().filter((process) => process.command === command).length;
  }

  /** Waits until its descendants run a command line so many times. */
  async runs(command: string, times: number): Promise<void> {
    await eventually(() => this.count(command) === times, `${times} of \`${command}\``);
  }

  /** Waits until every process that it has adopted is in the watchdog's care. */
  async watchesAll(): Promise<void> {
    const known = () => {
      const watched = this.watched();
      return this.descendants().filter(({ parent }) => parent === this.pid)
        .every(({ session }) => watched.includes(session));
    };
    await eventually(known, "the watchdog to know of all");
  }

  /** Ends it the hard way. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
  }

  /** Leaves nothing behind, whatever went wrong. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has been killed before.
    }
    await this.#process.status;
    await settled(this.#reading, "the end of its output");
    await this.#orders.abort().catch(() => {});
    for (const signal of ["SIGSTOP", "SIGKILL"] as const) {
      for (const { pid } of this.descendants()) tryKill(pid, signal);
    }
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.startsWith("answer ")) this.#answers.push(line.slice("answer ".length));
        else this.#lines.push(line);
      }
    }
  }
}

export function tryKill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

/** All processes that have a variable in their environment and have not ended. */
function processesWith(variable: string): MarkedProcess[] {
  return Array.from(Deno.readDirSync("/proc"), ({ name }) => Number(name))
    .filter(Number.isInteger)
    .filter((pid) => read(pid, "environ").split("\0").includes(variable))
    .map((pid) => {
      const stat = read(pid, "stat");
      const [, parent, , session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
      const command = read(pid, "cmdline").split("\0").join(" ").trim();
      return { pid, parent: parent ?? 0, session: session ?? 0, command };
    });
}

/** A file of a process below /proc; empty when the process has ended. */
function read(pid: number, file: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/${file}`);
  } catch {
    return "";
  }
}
