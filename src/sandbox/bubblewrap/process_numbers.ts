import { readFileSync } from "node:fs";

/** The kernel gives lower ones to daemons alone, once all numbers have been used (RESERVED_PIDS). */
const LOWEST = 300;
/** The kernel's own default (proc_sys_kernel(5)). */
const DEFAULT_LIMIT = 32_768;
/** So many processes a sandbox can start before it comes to the numbers of the next: a prime. */
const DISTANCE = 211;

/**
 * Where the processes of sandboxes are numbered from: each in a place of its own, so that programs
 * which name files in a shared directory by their number do not use the same names.
 */
export class ProcessNumbers {
  readonly #range: number;
  #offset: number;

  /** @param limit above all numbers (`kernel.pid_max`). @default that of this machine */
  constructor(limit: number = numberLimit()) {
    this.#range = Math.max(1, limit - LOWEST - DISTANCE);
    // Other executors number from somewhere else.
    this.#offset = Math.floor(Math.random() * this.#range);
  }

  /** The number before that of a sandbox's first process but its init. */
  next(): number {
    this.#offset = (this.#offset + DISTANCE) % this.#range;
    return LOWEST + this.#offset;
  }
}

function numberLimit(): number {
  try {
    return Number(readFileSync("/proc/sys/kernel/pid_max", "utf8"));
  } catch {
    return DEFAULT_LIMIT;
  }
}
