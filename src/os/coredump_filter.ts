import { readProc } from "./procfs.ts";

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
