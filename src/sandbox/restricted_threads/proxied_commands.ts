import type { Descriptor } from "../../os/descriptor.ts";
import { parentOf, processStatus } from "../../os/procfs.ts";
import { resetConnection } from "../../os/sockets.ts";

/** Commands that are remembered: what they left in the background may still connect. */
const MAX_COMMANDS = 256;
/** How long a command may have run before this thread hears that it was started, in milliseconds. */
const NEWS_MS = 50;
/** Parents that are followed. */
const MAX_PARENTS = 64;

/** Gets a connection, which belongs to it from then on. */
type Taker = (connection: Descriptor) => void;

/**
 * The commands of one plan that have a proxy of the executor's. All of them have the same rules, as these are
 * part of the plan; whose a connection is decides in whose report it is.
 */
export class ProxiedCommands {
  /** In the order of their starts. */
  readonly #takers = new Map<number, Taker>();

  /** A command has been started. */
  add(pid: number, take: Taker): void {
    // Its number may have been another's before.
    this.#takers.delete(pid);
    this.#takers.set(pid, take);
    const [oldest] = this.#takers.keys();
    if (this.#takers.size > MAX_COMMANDS && oldest !== undefined) this.#takers.delete(oldest);
  }

  /** Nothing is left of any of them. */
  clear(): void {
    this.#takers.clear();
  }

  /** Hands a connection over to the command whose thread has made it. */
  take(connection: Descriptor, thread: number): void {
    const take = this.#find(thread);
    if (take !== undefined) return take(connection);
    // One that has just been born may be heard of before its start is, and a daemon's parents are gone.
    setTimeout(() => {
      const found = this.#find(thread) ?? [...this.#takers.values()].at(-1) ?? resetConnection;
      found(connection);
    }, NEWS_MS);
  }

  /** A command is the leader of its session, which its descendants may have left. */
  #find(thread: number): Taker | undefined {
    let at = thread;
    for (let count = 0; count < MAX_PARENTS && at > 1 && at !== Deno.pid; count++) {
      const taker = this.#takers.get(processStatus(at)?.session ?? at) ?? this.#takers.get(at);
      if (taker !== undefined) return taker;
      at = parentOf(at);
    }
    return undefined;
  }
}
