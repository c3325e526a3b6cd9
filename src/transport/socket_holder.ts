import { setImmediate } from "node:timers/promises";
import { openSocketsOf } from "../os/descriptor_table.ts";

/** How long a search runs without yielding to other work, in milliseconds. */
const WORK_MS = 20;
/** So many processes that have been found are looked at first: clients come back. */
const REMEMBERED = 16;

/** Yields to other work now and then. */
export class WorkSlices {
  #end = performance.now() + WORK_MS;

  async pause(): Promise<void> {
    if (performance.now() < this.#end) return;
    await setImmediate();
    this.#end = performance.now() + WORK_MS;
  }
}

/** Searches once for all who ask before the search begins: hundreds may connect at the same time. */
export class SharedSearch<Question, Answer> {
  readonly #search: (asked: ReadonlySet<Question>) => Promise<Answer>;
  #running: Promise<unknown> = Promise.resolve();
  #waiting: { readonly asked: Set<Question>; readonly found: Promise<Answer> } | undefined;

  constructor(search: (asked: ReadonlySet<Question>) => Promise<Answer>) {
    this.#search = search;
  }

  /** What is found by a search that begins after the call. */
  ask(question: Question): Promise<Answer> {
    this.#waiting ??= this.#plan();
    this.#waiting.asked.add(question);
    return this.#waiting.found;
  }

  #plan() {
    const asked = new Set<Question>();
    const found = this.#running.then(() => {
      this.#waiting = undefined;
      return this.#search(asked);
    });
    this.#running = found.catch(() => {});
    return { asked, found };
  }
}

/** Finds processes by the sockets that they have. */
export class SocketHolders {
  readonly #search = new SharedSearch((inodes: ReadonlySet<number>) => this.#find(inodes));
  /** The last to have been found, the newest at the end. */
  readonly #found = new Set<number>();

  /** A process that has a socket, as far as that is to be seen. */
  async holderOf(inode: number): Promise<number | undefined> {
    return (await this.#search.ask(inode)).get(inode);
  }

  /** Those that have just been started come first: a client connects when it has begun. */
  async #find(inodes: ReadonlySet<number>): Promise<ReadonlyMap<number, number>> {
    const holders = new Map<number, number>();
    const slices = new WorkSlices();
    const look = (pid: number) => {
      for (const inode of openSocketsOf(pid)) {
        if (inodes.has(inode)) holders.set(inode, pid);
      }
    };
    for (const pid of this.#found) look(pid);
    if (holders.size < inodes.size) {
      for (const pid of allProcesses().filter((pid) => !this.#found.has(pid))) {
        look(pid);
        if (holders.size === inodes.size) break;
        await slices.pause();
      }
    }
    for (const pid of holders.values()) this.#remember(pid);
    return holders;
  }

  #remember(pid: number): void {
    this.#found.delete(pid);
    this.#found.add(pid);
    for (const oldest of this.#found) {
      if (this.#found.size <= REMEMBERED) break;
      this.#found.delete(oldest);
    }
  }
}

/** Those with the highest numbers come first. */
function allProcesses(): number[] {
  return Array.from(Deno.readDirSync("/proc"), ({ name }) => Number(name))
    .filter((pid) => Number.isInteger(pid) && pid !== Deno.pid)
    .sort((one, other) => other - one);
}
