/**
 * Starts commands while fewer and fewer descriptors are left, and prints for each number of them
 * what came of it: `started`, or the words of the refusal. Prints `leak` if something stays behind.
 *
 * A program of its own, run with a low limit on descriptors (ulimit -n).
 */
import { closeDescriptor } from "../../../src/os/descriptor.ts";
import { StartError } from "../../../src/process/child.ts";
import { duplicate } from "../../../src/os/pipes.ts";
import { startLinuxChild } from "../../../src/process/linux/start.ts";
import { childrenOf } from "../../../src/os/procfs.ts";

const MOST_LEFT = 12;

/** Takes all descriptors but so many, runs something, and gives them back. */
function withDescriptorsLeft(left: number, action: () => void): void {
  const taken: number[] = [];
  try {
    for (;;) taken.push(duplicate(2));
  } catch {
    for (const descriptor of taken.splice(0, left)) closeDescriptor(descriptor);
  }
  try {
    action();
  } finally {
    taken.forEach(closeDescriptor);
  }
}

const descriptors = () => [...Deno.readDirSync("/proc/self/fd")].length;

for (
  const stdio of [{ kind: "pipes", stdin: "pipe" }, {
    kind: "pty",
    size: { rows: 1, cols: 9 },
  }] as const
) {
  for (let left = 0; left < MOST_LEFT; left++) {
    const before = descriptors();
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    let outcome = "started";
    withDescriptorsLeft(left, () => {
      try {
        const observer = { output: () => {}, exited: () => {}, ended: resolve };
        startLinuxChild({ argv: ["/bin/true"], cwd: "/", env: {}, stdio }, observer);
      } catch (error) {
        if (!(error instanceof StartError)) throw error;
        outcome = error.message;
      }
    });
    if (outcome === "started") await ended;
    console.log(`${stdio.kind} ${outcome}`);
    // The poller, which is there from the first start on, has two.
    if (descriptors() > before + 2 || childrenOf(Deno.pid).length > 0) console.log("leak");
  }
}
