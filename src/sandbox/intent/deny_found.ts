import type { Disk } from "../disk.ts";
import type { BoundFiles, Grant } from "../grants.ts";
import { compareDepth } from "../native_path.ts";
import { findDenied } from "./find_denied.ts";
import { resolvePath } from "./resolve_path.ts";

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
