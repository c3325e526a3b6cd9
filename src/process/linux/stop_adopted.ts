import { childrenOfMainThread } from "../../os/procfs.ts";
import { reap, Signal, signalProcess } from "../../os/signals.ts";

/** Looks in a row without anything new, after which nothing is taken to turn up any more. */
const QUIET_LOOKS = 3;
/** A look takes some ten microseconds: this many hold the program up for less than a tenth of a second. */
const MAX_LOOKS = 2000;

/**
 * Stops the orphans that this program has adopted, and those that it adopts meanwhile, by looking for
 * nothing else: one that starts another and ends at once is gone before it has been looked at. One to
 * which a signal has been sent starts no other until it goes on (fork(2) begins anew then). The ended
 * are reaped, since each look goes over all that are there.
 *
 * @param isSpared whether a child of this program is to be left alone
 * @returns what was stopped: none of them has been reaped
 */
export function stopAdopted(isSpared: (pid: number) => boolean): ReadonlySet<number> {
  const stopped = new Set<number>();
  let quiet = 0;
  for (let look = 0; look < MAX_LOOKS && quiet < QUIET_LOOKS; look++) {
    const found = childrenOfMainThread(Deno.pid).filter((pid) =>
      !stopped.has(pid) && !isSpared(pid)
    );
    for (const pid of found.filter((pid) => reap(pid) === undefined)) {
      signalProcess(pid, Signal.Stop);
      stopped.add(pid);
    }
    quiet = found.length === 0 ? quiet + 1 : 0;
  }
  return stopped;
}
