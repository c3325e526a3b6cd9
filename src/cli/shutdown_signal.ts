import { ignoredSignals } from "./ignored_signals.ts";

/**
 * Settles at the first signal that asks this program to end: SIGTERM, SIGINT, or SIGHUP, which comes
 * when the terminal that it was started from is gone. One that it was started to ignore does not
 * count.
 *
 * To be called early: the kernel drops such signals for process 1 of a container until it handles
 * them (pid_namespaces(7)).
 */
export function shutdownSignal(): Promise<void> {
  const ignored = ignoredSignals();
  const signals = Deno.build.os === "windows"
    ? ["SIGINT"] as const
    : ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  return new Promise((resolve) => {
    // An ignored one has a listener too: without, the runtime would end the program by SIGHUP.
    for (const signal of signals) {
      Deno.addSignalListener(signal, () => {
        if (!ignored.has(signal)) resolve();
      });
    }
  });
}
