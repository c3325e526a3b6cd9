/**
 * Where this program lies; run from its source, where Deno does.
 *
 * A program that was replaced while it runs is told to be deleted (proc_pid_exe(5)). Its successor
 * is as good.
 */
export function ownPath(): string {
  return Deno.execPath().replace(/ \(deleted\)$/, "");
}

/** How to start this program once more; its arguments follow. */
export function ownCommand(): readonly [string, ...string[]] {
  return Deno.build.standalone
    ? [ownPath()]
    : [ownPath(), "run", "--allow-all", "--no-prompt", import.meta.resolve("../main.ts")];
}
