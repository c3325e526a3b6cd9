/** A closed process that is remembered. */
export interface Memory {
  /** Begins the time after which it is forgotten, unless it is remembered without end. */
  startForgetting(): void;
  /** Remembers it until that time is begun again. */
  stopForgetting(): void;
}

/**
 * Closed processes that are remembered for a while, so that a client that reconnects learns how they
 * ended. Their number is limited; the ones that closed first are forgotten first.
 */
export class ClosedProcesses {
  readonly #limit: number;
  readonly #retentionMs: number;
  /** In the order in which they were closed. */
  readonly #memories = new Set<TimedMemory>();

  /**
   * @param limit number of processes remembered at the same time, at least 1
   * @param retentionMs how long each is remembered once its time has begun, in milliseconds
   */
  constructor(limit: number, retentionMs: number) {
    this.#limit = limit;
    this.#retentionMs = retentionMs;
  }

  /**
   * Remembers a process.
   *
   * @param evict called when it is forgotten
   * @param options whether it is remembered until there are too many or its session ends
   */
  remember(evict: () => void, options: { readonly withoutEnd?: boolean } = {}): Memory {
    const patienceMs = options.withoutEnd === true ? undefined : this.#retentionMs;
    const memory = new TimedMemory(evict, patienceMs, () => this.#end(memory));
    this.#memories.add(memory);
    const [oldest] = this.#memories;
    if (this.#memories.size > this.#limit && oldest !== undefined) this.#end(oldest);
    return memory;
  }

  /** Stops remembering a process, without calling `evict`. */
  forget(memory: Memory): void {
    memory.stopForgetting();
    for (const one of this.#memories) {
      if (one === memory) this.#memories.delete(one);
    }
  }

  #end(memory: TimedMemory): void {
    if (!this.#memories.has(memory)) return;
    this.forget(memory);
    memory.evict();
  }
}

class TimedMemory implements Memory {
  /** Removes the process from its session. */
  readonly evict: () => void;
  readonly #patienceMs: number | undefined;
  readonly #over: () => void;
  #timer: number | undefined;

  constructor(evict: () => void, patienceMs: number | undefined, over: () => void) {
    this.evict = evict;
    this.#patienceMs = patienceMs;
    this.#over = over;
  }

  startForgetting(): void {
    this.stopForgetting();
    if (this.#patienceMs === undefined) return;
    this.#timer = setTimeout(this.#over, this.#patienceMs);
    Deno.unrefTimer(this.#timer);
  }

  stopForgetting(): void {
    clearTimeout(this.#timer);
  }
}
