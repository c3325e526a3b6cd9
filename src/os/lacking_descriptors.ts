import { constants } from "node:os";
import { linuxTable } from "./libc.ts";

const libc = linuxTable({
  prlimit: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" },
});

const RLIMIT_NOFILE = 7;
/** This program, in place of a process id. */
const ITSELF = 0;
/** A start takes a third of a millisecond; where many are under way, each may have to wait its turn. */
const MOST_TRIES = 1000;
/** How often a call may fail that was not seen to have a lowered limit. */
const MOST_IN_VAIN = 20;
const pause = new Int32Array(new SharedArrayBuffer(4));
/** The highest limit that was met. */
let own = softLimit();

/**
 * Makes a call again that has failed for want of descriptors while this program's limit is lowered, as it is
 * while a program is being started. Holds the thread up, and is for threads that nobody else needs meanwhile.
 *
 * @param result what it gave, the negative error number if it failed
 */
export function orAgain(result: number, call: () => number): number {
  let last = result;
  let inVain = 0;
  for (let tries = 0; last === -constants.errno.EMFILE && tries < MOST_TRIES; tries++) {
    const limit = softLimit();
    const isOwn = limit >= own;
    own = isOwn ? limit : own;
    // It may have been lowered at the call and not be now, again and again.
    if (isOwn && ++inVain > MOST_IN_VAIN) return last;
    Atomics.wait(pause, 0, 0, 1);
    last = call();
  }
  return last;
}

function softLimit(): bigint {
  const limit = new BigUint64Array(2);
  libc()?.prlimit(ITSELF, RLIMIT_NOFILE, null, new Uint8Array(limit.buffer));
  return limit[0] ?? 0n;
}
