/**
 * Settles at the first signal that asks this program to end: SIGTERM, SIGINT, or SIGHUP, which comes
 * when the terminal that it was started from is gone. Deno takes SIGHUP from a program that was
 * started to ignore it (nohup(1)), so that it ends this one too.
 *
 * To be called early: the kernel drops such signals for process 1 of a container until it handles
 * them (pid_namespaces(7)).
 */
export function toldToEnd(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ENDING_SIGNALS) Deno.addSignalListener(signal, resolve);
  });
}

const ENDING_SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];
