import { basename, dirname, join } from "@std/path/posix";
import type { Grant } from "../policy/bound_policy.ts";
import { takesPrecedence } from "../policy/bound_policy.ts";
import { compareDepth, isWithin } from "../../os/native_path.ts";

/** The name that the system itself has for what is at a path; undefined if nothing is there. */
export type RealPath = (path: string) => string | undefined;

/** Where the volume is mounted that holds users' files; parts of it also appear at the root. */
const DATA_VOLUME = "/System/Volumes/Data";

/** This machine's names. */
export function hostRealPath(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch {
    return undefined;
  }
}

/**
 * Spells a path as Seatbelt sees it. A volume that takes `Secret` and `secret` for the same has one
 * of them on record; and what can be reached below the root as well as through the data volume
 * counts as below the root.
 *
 * What is missing is kept as it is written, below the directory that is there.
 */
export function canonicalPath(path: string, realPath: RealPath): string {
  const real = realPath(path);
  if (real !== undefined) return belowRoot(real, realPath);
  return path === "/" ? path : join(canonicalPath(dirname(path), realPath), basename(path));
}

function belowRoot(path: string, realPath: RealPath): string {
  if (!isWithin(path, DATA_VOLUME)) return path;
  const short = path.slice(DATA_VOLUME.length);
  return short !== "" && realPath(short) !== undefined ? short : path;
}

/** Spells the paths of grants so; of grants that turn out to be about one path the strictest stays. */
export function canonicalGrants(grants: readonly Grant[], realPath: RealPath): Grant[] {
  const merged = new Map<string, Grant>();
  for (const grant of grants) {
    const path = grant.kind === "link"
      ? join(canonicalPath(dirname(grant.path), realPath), basename(grant.path))
      : canonicalPath(grant.path, realPath);
    const other = merged.get(path);
    if (other === undefined || takesPrecedence(grant.access, other.access)) {
      merged.set(path, { ...grant, path });
    }
  }
  return [...merged.values()].sort((left, right) => compareDepth(left.path, right.path));
}
