import { descendantsOf } from "./procfs.ts";
import { Signal, signalProcess } from "./signals.ts";

/**
 * Kills a process and all its descendants, also those that left its session.
 *
 * They are stopped first, one generation after the other: a process that runs could start another
 * one between the look at the list and its death.
 */
export function killTree(root: number): void {
  const stopped = new Set<number>();
  const stop = (pid: number) => {
    stopped.add(pid);
    signalProcess(pid, Signal.Stop);
  };
  for (let found = [root]; found.length > 0;) {
    found.forEach(stop);
    found = descendantsOf(root).filter((pid) => !stopped.has(pid));
  }
  for (const pid of stopped) signalProcess(pid, Signal.Kill);
}
