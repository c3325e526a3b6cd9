import { libraryTable } from "./libc.ts";
import { readProcLink } from "./procfs.ts";

const calls = libraryTable({
  sched_getcpu: { parameters: [], result: "i32" },
  sched_setaffinity: { parameters: ["i32", "usize", "buffer"], result: "i32" },
});

const BITS_A_BYTE = 8;
/** The kernel takes masks of whole words. */
const WORD_BYTES = 8;

/** What the kernel calls this thread (proc(5)); undefined if it does not say. */
export function threadNumber(): number | undefined {
  const number = readProcLink("thread-self")?.split("/").at(-1);
  return number === undefined ? undefined : Number(number);
}

/** The processor that this thread runs on (sched_getcpu(3)). */
export function currentProcessor(): number {
  return calls().sched_getcpu();
}

/**
 * Has a thread of this program run on one processor only (sched_setaffinity(2)). Nothing happens where
 * it may not run there.
 */
export function keepOnProcessor(thread: number, processor: number): void {
  const byte = Math.floor(processor / BITS_A_BYTE);
  const mask = new Uint8Array(new ArrayBuffer((Math.floor(byte / WORD_BYTES) + 1) * WORD_BYTES));
  mask[byte] = 1 << processor % BITS_A_BYTE;
  calls().sched_setaffinity(thread, BigInt(mask.length), mask);
}
