import { delay } from "@std/async/delay";
import { childrenOf, processStatus } from "../../../../src/os/procfs.ts";

/** Twice as long as the executor's longest regular business takes to come round (250 ms). */
const ASLEEP_MS = 500;

/** What a running executor holds, as its system counts it (proc(5)). */
export interface Resources {
  readonly descriptors: number;
  /** Children, the dead that nobody has reaped included. */
  readonly children: number;
  readonly zombies: number;
}

/** Counts what a process holds now. */
export function resourcesOf(pid: number): Resources {
  const children = childrenOf(pid);
  return {
    descriptors: [...Deno.readDirSync(`/proc/${pid}/fd`)].length,
    children: children.length,
    zombies: children.filter((child) => processStatus(child)?.zombie === true).length,
  };
}

/**
 * Whether the main thread of a process does nothing for a while. Each timer that is left would wake
 * it up.
 */
export async function isAsleep(pid: number): Promise<boolean> {
  const wakeUps = () =>
    /^voluntary_ctxt_switches:\s+(\d+)/m.exec(
      Deno.readTextFileSync(`/proc/${pid}/task/${pid}/status`),
    )?.[1];
  const before = wakeUps();
  await delay(ASLEEP_MS);
  return wakeUps() === before;
}
