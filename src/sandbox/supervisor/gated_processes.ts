/** So many sandboxes can be set up at a time; processes of further ones are looked at for each call. */
const ROOM = 64;
const NONE = 0;

/**
 * Processes that set sandboxes up and wait to be let start commands: all that they do is the
 * mechanism's own. Shared by the thread that opens their gates and the one that serves their calls.
 */
export class GatedProcesses {
  readonly #numbers: Int32Array<SharedArrayBuffer>;

  /** @param memory that of another thread's. @default new */
  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(ROOM * 4)) {
    this.#numbers = new Int32Array(memory);
  }

  /** What the other thread needs. */
  get memory(): SharedArrayBuffer {
    return this.#numbers.buffer;
  }

  /** A process waits. */
  enter(pid: number): void {
    const free = this.#numbers.indexOf(NONE);
    if (free !== -1) Atomics.store(this.#numbers, free, pid);
  }

  /** It is about to be let go on, or never will be. To be told before its gate is opened. */
  leave(pid: number): void {
    const place = this.#numbers.indexOf(pid);
    if (place !== -1) Atomics.store(this.#numbers, place, NONE);
  }

  /** Whether a process waits. It may have ended, and its number be another's. */
  has(pid: number): boolean {
    if (pid === NONE) return false;
    return this.#numbers.some((_, place) => Atomics.load(this.#numbers, place) === pid);
  }
}
