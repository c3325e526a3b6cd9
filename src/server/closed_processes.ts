/** Stands for a process that is remembered. */
export interface Memory {
  /** Lets whoever remembers it forget it. */
  readonly evict: () => void;
  readonly timer: number;
}

/**
 * Processes that are remembered for a while after they have been closed, so that a client that lost
 * its connection can learn how they ended: only so many, those that were closed first go first.
 */
export class ClosedProcesses {
  readonly #limit: number;
  readonly #retentionMs: number;
  /** In the order in which they were closed. */
  readonly #memories = new Set<Memory>();

  /**
   * @param limit how many are remembered at the same time, at least one
   * @param retentionMs how long each is, in milliseconds
   */
  constructor(limit: number, retentionMs: number) {
    this.#limit = limit;
    this.#retentionMs = retentionMs;
  }

  /** Remembers one more. @param evict called when it is to be forgotten */
  remember(evict: () => void): Memory {
    const timer = setTimeout(() => this.#end(memory), this.#retentionMs);
    Deno.unrefTimer(timer);
    const memory: Memory = { evict, timer };
    this.#memories.add(memory);
    const [oldest] = this.#memories;
    if (this.#memories.size > this.#limit && oldest !== undefined) this.#end(oldest);
    return memory;
  }

  /** Leaves a process to whoever remembered it. */
  forget(memory: Memory): void {
    clearTimeout(memory.timer);
    this.#memories.delete(memory);
  }

  #end(memory: Memory): void {
    if (!this.#memories.has(memory)) return;
    this.forget(memory);
    memory.evict();
  }
}
