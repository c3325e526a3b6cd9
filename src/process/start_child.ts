import { isOsString } from "../native/os_string.ts";
import { untilAnswered } from "../native/until_answered.ts";
import { type Child, type ChildCommand, type ChildObserver, StartError } from "./child.ts";
import { startingPaths } from "./executable.ts";
import { startLinuxChild } from "./linux/start.ts";

/**
 * Starts a command by the means that this system has. Nothing is told before whoever awaits the
 * child has it.
 *
 * @throws {StartError}
 */
export async function startChild(command: ChildCommand, observer: ChildObserver): Promise<Child> {
  refuseInexpressible(command);
  if (Deno.build.os === "linux") {
    await untilAnswered(startingPaths(command));
    return startLinuxChild(command, observer);
  }
  const { startPortableChild } = await import("./portable/start.ts");
  return await startPortableChild(command, observer);
}

/**
 * Systems take texts up to the first NUL, and in UTF-8, which has no unpaired surrogates: a command
 * would get others than it was sent. Only those of the working directory may stand for bytes, as
 * `decodeOsString` has them.
 *
 * @throws {StartError}
 */
export function refuseInexpressible(
  { argv, arg0 = "", cwd, env }: Omit<ChildCommand, "stdio">,
): void {
  const place = "in an argument, a variable or the working directory";
  const texts = [...argv, arg0, cwd, ...Object.entries(env).flat()];
  if (texts.some((text) => text.includes("\0"))) throw new StartError(`NUL ${place}`);
  // What this program inherited, and a path, need not be UTF-8.
  const wellFormed = [...argv, arg0].every((text) => text.isWellFormed());
  if (!wellFormed || !texts.every(isOsString)) {
    throw new StartError(`an unpaired surrogate ${place}`);
  }
}
