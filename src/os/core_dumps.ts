import { linuxTable } from "./libc.ts";

const libc = linuxTable({
  prlimit: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" },
});

const RLIMIT_CORE = 4;
/** This program, in place of a process id. */
const ITSELF = 0;

/**
 * Starts programs without core dumps (core(5)): the kernel writes one into the working directory
 * without a system call that could be judged.
 *
 * Programs are born with the soft limit of this one, which is 0 for as long as one of them is being
 * started. The hard limit stays, as not everybody could raise it again.
 */
export class CoreDumps {
  #limit: Limit = [0n, 0n];
  /** How many starts are under way that are to have none. */
  #withheld = 0;

  /** Programs that are started until what is returned has been disposed of have no core dumps. */
  withhold(): Disposable {
    if (this.#withheld++ === 0) {
      this.#limit = readLimit(ITSELF) ?? [0n, 0n];
      if (this.#limit[0] !== 0n) setLimit(ITSELF, [0n, this.#limit[1]]);
    }
    const holder = new DisposableStack();
    holder.defer(() => {
      if (--this.#withheld === 0) this.#restore(ITSELF);
    });
    return holder;
  }

  /** Starts a program that has core dumps if this one has, whatever else is being started. */
  kept<T extends { readonly pid: number }>(start: () => T): T {
    const started = start();
    if (this.#withheld > 0 && readLimit(started.pid)?.[0] === 0n) this.#restore(started.pid);
    return started;
  }

  #restore(pid: number): void {
    const [soft, hard] = this.#limit;
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

/** This program's. */
export function coreDumps(): CoreDumps {
  return shared ??= new CoreDumps();
}
