import { join } from "@std/path/posix";
import type { Grant } from "../policy/bound_policy.ts";
import { isWithin } from "../../os/native_path.ts";
import type { LandlockRule } from "./rules.ts";

/** How many names below a denied directory are looked at for something executable. */
const MAX_NAMES = 10_000;
const ANY_EXECUTE = 0o111;

/**
 * What may be executed, where something denied below what may be read could be executed; undefined
 * where nothing could.
 *
 * Executing is no call that a supervisor could make on the command's behalf, and whoever executes a
 * program can find out what is in it. So it is left to Landlock, by naming everything else: what is
 * made later in a directory that leads to what is denied cannot be executed there.
 */
export function executableRules(grants: readonly Grant[]): LandlockRule[] | undefined {
  const denied = grants
    .filter((grant, index) =>
      grant.access === "deny" && grant.withheld === undefined &&
      grants.slice(0, index).some(({ path, access }) =>
        access !== "deny" && isWithin(grant.path, path)
      )
    )
    .map(({ path }) => path)
    .filter((path) => isExecutable(path, { names: MAX_NAMES }));
  if (denied.length === 0) return undefined;
  return grants
    .filter(({ access, kind }) => access !== "deny" && (kind === "directory" || kind === "file"))
    .flatMap(({ path }) => allBut(path, denied))
    .map((path) => ({ path, access: "execute" }));
}

/** The paths that together are a path and all below it, without what is denied. */
function allBut(path: string, denied: readonly string[]): string[] {
  if (denied.some((other) => isWithin(path, other))) return [];
  if (!denied.some((other) => isWithin(other, path))) return [path];
  return namesIn(path).flatMap((name) => allBut(join(path, name), denied));
}

/** Whether a file, or any below a directory, can be executed; also if there are too many to look at. */
function isExecutable(path: string, budget: { names: number }): boolean {
  let info: Deno.FileInfo;
  try {
    info = Deno.lstatSync(path);
  } catch {
    return false;
  }
  if (info.isFile) return ((info.mode ?? 0) & ANY_EXECUTE) !== 0;
  if (!info.isDirectory) return false;
  for (const name of namesIn(path)) {
    if (--budget.names < 0 || isExecutable(join(path, name), budget)) return true;
  }
  return false;
}

function namesIn(directory: string): string[] {
  try {
    // A link is granted by what it leads to.
    return Array.from(Deno.readDirSync(directory)).filter(({ isSymlink }) => !isSymlink)
      .map(({ name }) => name);
  } catch {
    return [];
  }
}
