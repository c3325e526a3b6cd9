import { linuxTable } from "./libc.ts";

const libc = linuxTable({ malloc_trim: { parameters: ["usize"], result: "i32" } });

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
