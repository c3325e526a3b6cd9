import { ENDING_SIGNALS } from "./exit_codes.ts";
import { ignoredSignals } from "./ignored_signals.ts";

/**
 * Settles at the first SIGTERM, SIGINT or SIGHUP, except for signals that this program inherited as
 * ignored.
 *
 * Call it early: as process 1 of a container the program loses these signals until it handles them
 * (pid_namespaces(7)).
 */
export function shutdownSignal(): Promise<void> {
  const ignored = ignoredSignals();
  return new Promise((resolve) => {
    // Ignored signals get a listener too: without one the runtime ends the program at SIGHUP.
    for (const signal of ENDING_SIGNALS) {
      Deno.addSignalListener(signal, () => {
        if (!ignored.has(signal)) resolve();
      });
    }
  });
}
