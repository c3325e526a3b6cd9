import { linuxTable } from "./libc.ts";
import { shareChange, SharedChange } from "./shared_change.ts";

const libc = linuxTable({
  prlimit: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" },
});

const RLIMIT_CORE = 4;
/** This program, in place of a process id. */
const ITSELF = 0;
/** `struct rlimit`: the soft limit, then the hard one. */
const LIMIT_BYTES = 16;

/** What the threads have in common that start programs without core dumps. */
export interface SharedCoreDumps {
  readonly change: SharedArrayBuffer;
  /** The limit that this program has while it is not changed. */
  readonly limit: SharedArrayBuffer;
}

/**
 * Starts programs without core dumps (core(5)): the kernel writes one into the working directory
 * without a system call that could be judged.
 *
 * Programs are born with the soft limit of this one, which is 0 for the moment in which one of them is
 * started. The hard limit stays, as not everybody could raise it again.
 */
export class CoreDumps {
  readonly shared: SharedCoreDumps;
  readonly #change: SharedChange;
  readonly #limit: BigUint64Array;

  /** @param shared what another thread's has */
  constructor(
    shared: SharedCoreDumps = {
      change: shareChange(),
      limit: new SharedArrayBuffer(LIMIT_BYTES),
    },
  ) {
    this.shared = shared;
    this.#limit = new BigUint64Array(shared.limit);
    this.#change = new SharedChange(shared.change, {
      make: () => {
        const limit = readLimit(ITSELF) ?? [0n, 0n];
        this.#limit.set(limit);
        if (limit[0] !== 0n) setLimit(ITSELF, [0n, limit[1]]);
      },
      undo: () => this.#restore(ITSELF),
    });
  }

  /** Does what starts a program without core dumps. It must not wait for this thread. */
  without<T>(start: () => T): T {
    return this.#change.during(start);
  }

  /** Starts a program that has core dumps if this one has, whatever other threads start meanwhile. */
  kept<T extends { readonly pid: number }>(start: () => T): T {
    const { result, changed } = this.#change.watch(start);
    if (changed && readLimit(result.pid)?.[0] === 0n) this.#restore(result.pid);
    return result;
  }

  #restore(pid: number): void {
    const [soft = 0n, hard = 0n] = this.#limit;
    if (soft !== 0n) setLimit(pid, [soft, hard]);
  }
}

type Limit = readonly [soft: bigint, hard: bigint];

function readLimit(pid: number): Limit | undefined {
  const limit = new BigUint64Array(2);
  const failed = libc()?.prlimit(pid, RLIMIT_CORE, null, new Uint8Array(limit.buffer));
  const [soft = 0n, hard = 0n] = limit;
  return failed === 0 ? [soft, hard] : undefined;
}

function setLimit(pid: number, limit: Limit): void {
  libc()?.prlimit(pid, RLIMIT_CORE, new Uint8Array(BigUint64Array.from(limit).buffer), null);
}

let shared: CoreDumps | undefined;

/** This program's, for its first thread. */
export function coreDumps(): CoreDumps {
  return shared ??= new CoreDumps();
}
