import type { Child } from "./child.ts";

/** How long a command has to end once it was asked to, in milliseconds, unless told otherwise. */
export const DEFAULT_GRACE_MS = 5000;

/** How long a command may take. All times in milliseconds. */
export interface TimeLimit {
  /** When it is asked to end, from when it was asked for. */
  readonly timeMs: number;
  /** How long it has to end then, with all that it has started. */
  readonly graceMs: number;
}

/** Gives what kills whatever descends from a command that runs, at once or later. */
export type KillerOf = (pid: number) => () => void;

/**
 * Ends a command whose time is up: SIGTERM for its process group, and after the grace SIGKILL for all
 * that it has started, also where the command itself has heeded the first.
 */
export class Deadline implements Disposable {
  readonly #graceMs: number;
  readonly #killerOf: KillerOf | undefined;
  readonly #passing = new AbortController();
  #child: Child | undefined;
  #timer: number | undefined;
  #reached = false;

  /**
   * Its time begins to run.
   *
   * @param killerOf reaches what the command leaves behind. @default nothing does
   */
  constructor({ timeMs, graceMs }: TimeLimit, killerOf?: KillerOf) {
    this.#graceMs = graceMs;
    this.#killerOf = killerOf;
    this.#timer = setTimeout(() => this.#pass(), timeMs);
  }

  /** Aborted when the time is up. */
  get passing(): AbortSignal {
    return this.#passing.signal;
  }

  /** Whether the command was asked to end, not having ended by itself. */
  get reached(): boolean {
    return this.#reached;
  }

  /** The command has started, perhaps too late. */
  started(child: Child): void {
    this.#child = child;
    if (this.passing.aborted) this.#requestEnd(child);
  }

  /** The command has ended. What it leaves behind has the rest of the grace if it was asked to. */
  exited(): void {
    if (!this.#reached || this.#killerOf === undefined) this[Symbol.dispose]();
  }

  /** Nothing is ended any more. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #pass(): void {
    this.#passing.abort();
    if (this.#child !== undefined) this.#requestEnd(this.#child);
  }

  #requestEnd(child: Child): void {
    if (!child.requestEnd()) return;
    this.#reached = true;
    // While the command is there its number is nobody else's.
    const killLeft = this.#killerOf?.(child.pid);
    this.#timer = setTimeout(() => {
      child.kill();
      killLeft?.();
    }, this.#graceMs);
  }
}
