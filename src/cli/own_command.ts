/** How to start this program once more; its arguments follow. */
export function ownCommand(): readonly [string, ...string[]] {
  return Deno.build.standalone
    ? [Deno.execPath()]
    : [Deno.execPath(), "run", "--allow-all", Deno.mainModule];
}
