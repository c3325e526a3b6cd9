import { AT_FDCWD } from "./constants.ts";
import { closeDescriptor, type Descriptor, writeDescriptor } from "./descriptor.ts";
import { Open, openAt } from "./open_at.ts";
import { childrenOfMainThread, descendantsOf, readProc } from "./procfs.ts";
import { ownChildren } from "./signals.ts";

// Values of this program's own below /proc that what it starts inherits.

/** As if half of the memory were theirs besides what is (proc(5)). */
const EXPENDABLE = 500;
/** By how much commands are to be preferred where the executor has a high value itself. */
const STEP = 100;
/** How often it is tried again to raise one, a millisecond apart. */
const MOST_TRIES = 5;
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
    if (!raise(pid, this.#raised)) this.#raiseLater(pid, this.#raised, MOST_TRIES);
    if (childrenOfMainThread(pid).length === 0) return;
    for (const descendant of descendantsOf(pid)) raise(descendant, this.#raised);
  }

  /** A new program's values are not this user's before it has become it in every respect (execve(2)). */
  #raiseLater(pid: number, value: Uint8Array<ArrayBuffer>, tries: number): void {
    const timer = setTimeout(() => {
      if (!ownChildren.has(pid)) return;
      const raised = [pid, ...descendantsOf(pid)].map((one) => raise(one, value));
      if (!raised.every(Boolean) && tries > 1) this.#raiseLater(pid, value, tries - 1);
    });
    Deno.unrefTimer(timer);
  }
}

/** Returns false for a program that has ended, or that belongs to another user (execve(2)). */
function raise(pid: number, value: Uint8Array<ArrayBuffer>): boolean {
  let file: Descriptor;
  try {
    file = openAt(AT_FDCWD, `/proc/${pid}/oom_score_adj`, Open.WriteOnly);
  } catch {
    return false;
  }
  writeDescriptor(file, value);
  closeDescriptor(file);
  return true;
}

let shared: OomScore | undefined;

/** This program's. */
export function oomScore(): OomScore {
  return shared ??= new OomScore();
}

/**
 * The bits of a coredump filter for mappings of DAX files (core(5)): no bits that are inherited by
 * whatever a program starts mean less to it.
 */
const MARK_BITS = 0x180;
const MARKS = [0x080, 0x100, 0x180];

/**
 * Marks this program, and so everything that it starts from now on: fork(2) and execve(2) keep a
 * process's coredump filter, and few programs ever set it.
 *
 * A program that adopts orphans can tell by the mark which of them descend from its commands. Nothing
 * else shows that of a process that has left its session and whose parents are gone: it may also have
 * been there before, or have come into the container from outside.
 */
export class InheritedMark {
  readonly #mark: number | undefined;

  constructor() {
    const before = filterOf("self");
    if (before === undefined) return;
    // Those that are not from here may have the one that this program had, or the kernel's own.
    const mark = MARKS.find((bits) => bits !== (before & MARK_BITS)) ?? 0;
    try {
      Deno.writeTextFileSync(
        "/proc/self/coredump_filter",
        `0x${(before & ~MARK_BITS | mark).toString(16)}`,
      );
      this.#mark = mark;
    } catch {
      // A file system of processes that cannot be written to: nothing is told apart then.
    }
  }

  /** Whether a process has it; undefined if it has ended, or nothing can be told here. */
  isOn(pid: number): boolean | undefined {
    if (this.#mark === undefined) return undefined;
    const filter = filterOf(pid);
    return filter === undefined ? undefined : (filter & MARK_BITS) === this.#mark;
  }
}

function filterOf(process: number | "self"): number | undefined {
  const text = readProc(`${process}/coredump_filter`).trim();
  return text === "" ? undefined : Number.parseInt(text, 16);
}
