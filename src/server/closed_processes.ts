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
  readonly #memories = new Map<Memory, () => void>();

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
    const memory = new TimedMemory(patienceMs, () => this.#end(memory));
    this.#memories.set(memory, evict);
    const [oldest] = this.#memories.keys();
    if (this.#memories.size > this.#limit && oldest !== undefined) this.#end(oldest);
    return memory;
  }

  /** Stops remembering a process, without calling `evict`. */
  forget(memory: Memory): void {
    memory.stopForgetting();
    this.#memories.delete(memory);
  }

  #end(memory: Memory): void {
    const evict = this.#memories.get(memory);
    this.forget(memory);
    evict?.();
  }
}

class TimedMemory implements Memory {
  readonly #patienceMs: number | undefined;
  readonly #over: () => void;
  #timer: number | undefined;

  constructor(patienceMs: number | undefined, over: () => void) {
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
