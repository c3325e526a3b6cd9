import { delay } from "@std/async/delay";
import type { Executor } from "./executor.ts";

/** How often it is looked at the least, in milliseconds. */
const LOOK_MS = 1000;
/** Of so many looks within the time, each must find nothing to do. */
const LOOKS = 10;

/** Settles when an executor has had nothing to do for so many milliseconds. */
export async function idleFor(
  milliseconds: number,
  executor: Pick<Executor, "idle" | "connectionsSoFar">,
): Promise<void> {
  let since = performance.now();
  let connections = executor.connectionsSoFar;
  while (performance.now() - since < milliseconds) {
    await delay(Math.min(LOOK_MS, milliseconds / LOOKS));
    if (executor.idle && executor.connectionsSoFar === connections) continue;
    since = performance.now();
    connections = executor.connectionsSoFar;
  }
}
