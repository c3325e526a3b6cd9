import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { isAbsolute, join } from "@std/path/posix";
import { isWithin } from "../../os/native_path.ts";
import type { HelperTools } from "./final_stage.ts";

/** Directories of the system's own programs, in which helpers are looked for. */
const SYSTEM_DIRECTORIES = ["/usr/bin", "/bin", "/run/current-system/sw/bin"];

/** An executable file, by the name it was found under and by what that leads to. */
export interface FoundProgram {
  readonly file: string;
  readonly target: string;
}

/**
 * Finds the executable files of a name in the directories of PATH, first to last. Relative
 * directories are passed over: they are somewhere else each time.
 */
export function findPrograms(name: string, path: string): FoundProgram[] {
  return path.split(":").filter(isAbsolute).flatMap((directory) => {
    const file = join(directory, name);
    const target = executableAt(file);
    return target === undefined ? [] : [{ file, target }];
  });
}

/** Whether a program lies in a directory, by either of its names. */
export function isInside({ file, target }: FoundProgram, directory: string): boolean {
  return isWithin(file, directory) || isWithin(target, directory);
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
