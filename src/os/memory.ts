import { groupNumber, ownControlGroups } from "./control_hierarchies.ts";
import { linuxTable } from "./libc.ts";

const libc = linuxTable({ malloc_trim: { parameters: ["usize"], result: "i32" } });

/** A limit of a control group that is none: the largest number of pages that there can be. */
const UNLIMITED = 2 ** 62;

/**
 * How much memory this program can have, in bytes: the machine's, or less where a control group that
 * it belongs to, such as a container's, has less (cgroups(7)).
 */
export function memoryLimit(): number {
  const machine = Deno.systemMemoryInfo().total;
  if (Deno.build.os !== "linux") return machine;
  const limits = ownControlGroups("memory").map((group) =>
    groupNumber(group, group.version === 2 ? "memory.max" : "memory.limit_in_bytes") ?? Infinity
  );
  return Math.min(machine, ...limits.filter((limit) => limit > 0 && limit < UNLIMITED));
}

/**
 * Gives memory that is not used any more back to the system: that of values which nothing refers to,
 * and what the C library keeps for later (malloc_trim(3)). Takes tens of milliseconds.
 *
 * While a program is idle the engine does not look for what could go, so that after some large
 * messages it keeps hundreds of megabytes for good. It offers its `gc` where the program was compiled
 * with `--expose-gc`; elsewhere that part is left out.
 */
export function releaseMemory(): void {
  const collect: unknown = Reflect.get(globalThis, "gc");
  if (typeof collect === "function") collect();
  libc()?.malloc_trim(0n);
}
