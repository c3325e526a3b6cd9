import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path/posix";
import { isWithin } from "../native_path.ts";
import type { HelperTools } from "./final_stage.ts";

/** Directories of the system's own programs, in which helpers are looked for. */
const SYSTEM_DIRECTORIES = ["/usr/bin", "/bin", "/run/current-system/sw/bin"];

/**
 * Finds an executable file of this name, outside of the directories named: what a client's commands
 * may have written must not be run unenclosed.
 *
 * @param path the directories to look in, as in PATH; relative ones are passed over
 * @returns an absolute path, with links resolved
 */
export function findProgram(
  name: string,
  path: string,
  outside: readonly string[],
): string | undefined {
  for (const directory of path.split(":").filter(isAbsolute)) {
    const file = join(directory, name);
    const found = executableAt(file);
    if (found === undefined) continue;
    if (!outside.some((tree) => isWithin(found, tree) || isWithin(file, tree))) return found;
  }
  return undefined;
}

/** The helpers that this machine has. */
export function findHelperTools(): HelperTools {
  const find = (name: string) =>
    SYSTEM_DIRECTORIES.map((directory) => join(directory, name))
      .find((file) => executableAt(file) !== undefined);
  const [env, perl, setsid] = [find("env"), find("perl"), find("setsid")];
  return { ...env && { env }, ...perl && { perl }, ...setsid && { setsid } };
}

function executableAt(file: string): string | undefined {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile() ? realpathSync(file) : undefined;
  } catch {
    return undefined;
  }
}
