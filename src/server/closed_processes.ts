/** A closed process that is remembered. */
export interface Memory {
  /** Removes the process from its session. */
  readonly evict: () => void;
  readonly timer: number;
}

/**
 * Closed processes that are remembered for a while, so that a client that reconnects learns how they
 * ended. Their number is limited; the ones that closed first are forgotten first.
 */
export class ClosedProcesses {
  readonly #limit: number;
  readonly #retentionMs: number;
  /** In the order in which they were closed. */
  readonly #memories = new Set<Memory>();

  /**
   * @param limit number of processes remembered at the same time, at least 1
   * @param retentionMs how long each is remembered, in milliseconds
   */
  constructor(limit: number, retentionMs: number) {
    this.#limit = limit;
    this.#retentionMs = retentionMs;
  }

  /** Remembers a process. @param evict called when it is forgotten */
  remember(evict: () => void): Memory {
    const timer = setTimeout(() => this.#end(memory), this.#retentionMs);
    Deno.unrefTimer(timer);
    const memory: Memory = { evict, timer };
    this.#memories.add(memory);
    const [oldest] = this.#memories;
    if (this.#memories.size > this.#limit && oldest !== undefined) this.#end(oldest);
    return memory;
  }

  /** Stops remembering a process, without calling `evict`. */
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
