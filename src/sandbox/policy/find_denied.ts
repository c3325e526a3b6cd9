import { internalError } from "../../protocol/errors.ts";
import type { Disk, PathKind } from "../disk.ts";
import type { BoundFiles, DeniedGlob, Grant } from "./bound_policy.ts";
import { compareDepth, isWithin } from "../../os/native_path.ts";
import { resolvePath } from "./resolve_path.ts";
import { join } from "@std/path/posix";

/** A path that a glob denies, there when it was looked for. */
export interface DeniedPath {
  readonly path: string;
  readonly kind: Exclude<PathKind, "missing">;
}

/** How many names are looked at for one command, so that a pattern cannot hold it up for long. */
const MAX_NAMES = 300_000;
/** How many paths can be denied one by one: each is a mount of its own. */
const MAX_MATCHES = 1000;

/**
 * Looks for what globs deny. What is denied is not looked into, links are not followed.
 *
 * @param maxDepth how many directories below a glob's base are looked into; no limit if undefined
 * @throws {RpcError} if there is too much to look at or to deny: part of it would stay readable
 */
export function findDenied(
  globs: readonly DeniedGlob[],
  maxDepth: number | undefined,
  disk: Disk,
): DeniedPath[] {
  const found = new Map<string, DeniedPath>();
  let names = 0;
  const look = (directory: string, globs: readonly DeniedGlob[], depth: number) => {
    if (depth === 0 || globs.length === 0) return;
    // What cannot be looked into is denied as a whole, but for other users' processes.
    const refused = () => {
      if (!isWithin(directory, "/proc")) {
        found.set(directory, { path: directory, kind: "directory" });
      }
    };
    for (const { name, kind, foreign } of disk.list(directory, refused)) {
      if (++names > MAX_NAMES) throw tooMuch(globs, `there are more than ${MAX_NAMES} names`);
      const path = join(directory, name);
      if (foreign) {
        const below = kind === "directory" && globs.some((glob) => glob.mayMatchBelow(path));
        if (!below && !globs.some((glob) => glob.matches(path))) continue;
        throw tooMuch(globs, `'${path}' has a name that is not UTF-8`);
      }
      if (kind !== "missing" && globs.some((glob) => glob.matches(path))) {
        found.set(path, { path, kind });
        if (found.size > MAX_MATCHES) throw tooMuch(globs, `more than ${MAX_MATCHES} paths match`);
      } else if (kind === "directory") {
        look(path, globs.filter((glob) => glob.mayMatchBelow(path)), depth - 1);
      }
    }
  };
  for (const [base, sharing] of Map.groupBy(globs, (glob) => glob.base)) {
    look(base, sharing, maxDepth ?? Infinity);
  }
  return [...found.values()].sort((left, right) => compareDepth(left.path, right.path));
}

function tooMuch(globs: readonly DeniedGlob[], why: string) {
  const patterns = globs.map(({ pattern }) => `'${pattern}'`).join(", ");
  return internalError(
    `cannot deny all that matches ${patterns}: ${why}; ` +
      "name a directory instead, or limit glob_scan_max_depth",
  );
}

/**
 * Replaces denied globs by denials of what matches them now, for means that know only paths.
 *
 * A link that matches stands for what it leads to.
 *
 * @throws {RpcError} -32603 if too much matches
 */
export function denyFound(files: BoundFiles, disk: Disk): BoundFiles {
  if (files.kind === "all" || files.deniedGlobs.length === 0) return files;
  const grants = new Map(files.grants.map((grant) => [grant.path, grant]));
  for (const { path, kind } of findDenied(files.deniedGlobs, files.globMaxDepth, disk)) {
    const found: Grant = kind === "link"
      ? { ...resolvePath(path, disk), access: "deny", links: [] }
      : { path, kind, access: "deny", links: [] };
    grants.set(found.path, found);
  }
  return {
    ...files,
    grants: [...grants.values()].sort((left, right) => compareDepth(left.path, right.path)),
    deniedGlobs: [],
  };
}
