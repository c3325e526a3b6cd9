import { constants } from "node:os";

/** How often a call is made again, a millisecond apart: a start takes a third of one. */
const MOST_TRIES = 20;
const pause = new Int32Array(new SharedArrayBuffer(4));

/**
 * Makes a call again that has failed for want of descriptors: this program's limit is lowered while a program
 * is being started. Holds the thread up, and is for threads that nobody else needs meanwhile.
 *
 * @param result what it gave, the negative error number if it failed
 */
export function orAgain(result: number, call: () => number): number {
  let last = result;
  for (let tries = 0; last === -constants.errno.EMFILE && tries < MOST_TRIES; tries++) {
    Atomics.wait(pause, 0, 0, 1);
    last = call();
  }
  return last;
}
