import { outlivesTerminal } from "./hang_up.ts";

/**
 * Settles at the first signal that asks this program to end: SIGTERM, SIGINT, or SIGHUP, which comes
 * when the terminal that it was started from is gone, unless it was started to outlive that.
 *
 * To be called early: the kernel drops such signals for process 1 of a container until it handles
 * them (pid_namespaces(7)).
 */
export function toldToEnd(): Promise<void> {
  const hangUpCounts = !outlivesTerminal();
  return new Promise((resolve) => {
    Deno.addSignalListener("SIGINT", resolve);
    if (Deno.build.os === "windows") return;
    Deno.addSignalListener("SIGTERM", resolve);
    // Without a listener of its own the runtime would end the program by it.
    Deno.addSignalListener("SIGHUP", () => hangUpCounts && resolve());
  });
}
