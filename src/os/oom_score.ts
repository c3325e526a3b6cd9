import { AT_FDCWD } from "./constants.ts";
import { closeDescriptor, type Descriptor, writeDescriptor } from "./descriptor.ts";
import { Open, openAt } from "./open_at.ts";
import { childrenOfMainThread, descendantsOf, readProc } from "./procfs.ts";

/** As if half of the memory were theirs besides what is (proc(5)). */
const EXPENDABLE = 500;
/** By how much commands are to be preferred where the executor has a high value itself. */
const STEP = 100;
const HIGHEST = 1000;

/**
 * Makes the kernel end the programs that this one starts rather than this one when memory runs out.
 *
 * Each gets a higher `oom_score_adj` than this program has (proc_pid_oom_score_adj(5)) as soon as it has
 * been started, and what it starts from then on inherits that. It cannot be born with it: this program
 * would have the same for as long as a start takes, and be the largest of all that the kernel may end.
 */
export class OomScore {
  readonly #raised: Uint8Array<ArrayBuffer> | undefined;

  constructor() {
    const own = readProc("self/oom_score_adj");
    const raised = Math.min(HIGHEST, Math.max(Number(own) + STEP, EXPENDABLE));
    // Where there is no /proc, nothing can be raised either.
    if (own !== "" && raised > Number(own)) this.#raised = new TextEncoder().encode(String(raised));
  }

  /** A program has been started. What it has started already gets the same. */
  started(pid: number): void {
    if (this.#raised === undefined) return;
    raise(pid, this.#raised);
    if (childrenOfMainThread(pid).length === 0) return;
    for (const descendant of descendantsOf(pid)) raise(descendant, this.#raised);
  }
}

/** Does nothing for a program that has ended, or that belongs to another user (execve(2)). */
function raise(pid: number, value: Uint8Array<ArrayBuffer>): void {
  let file: Descriptor;
  try {
    file = openAt(AT_FDCWD, `/proc/${pid}/oom_score_adj`, Open.WriteOnly);
  } catch {
    return;
  }
  writeDescriptor(file, value);
  closeDescriptor(file);
}

let shared: OomScore | undefined;

/** This program's. */
export function oomScore(): OomScore {
  return shared ??= new OomScore();
}
