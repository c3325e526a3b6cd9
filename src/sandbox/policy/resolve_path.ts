import { dirname, join } from "@std/path/posix";
import { childOf } from "../../os/native_path.ts";
import type { Disk, PathKind } from "../disk.ts";
import type { CrossedLink, Grant } from "./bound_policy.ts";

/** As many links as the kernel follows before it gives up (path_resolution(7)). */
const MAX_LINKS = 40;

/** Where a path leads. */
export type ResolvedPath = Omit<Grant, "access" | "kind"> & {
  readonly kind: Exclude<PathKind, "link">;
};

/**
 * Follows the links on the way to an absolute path, and the one at its end. What is missing is
 * taken as it is written.
 *
 * What cannot be looked at, lies below something that is no directory, or is hidden behind too many
 * links is `unreachable`.
 */
export function resolvePath(path: string, disk: Disk): ResolvedPath {
  const links: CrossedLink[] = [];
  let names = namesOf(path);
  let at = "/";
  let kind: ResolvedPath["kind"] = "directory";
  while (names.length > 0) {
    const [name = "", ...rest] = names;
    const next = childOf(at, name);
    const found = name === ".." ? "directory" : disk.kindOf(next);
    if (found === "link") {
      const target = disk.readLink(next);
      links.push({ path: next, target });
      if (target === "" || links.length > MAX_LINKS) {
        return { path: join(next, ...rest), kind: "unreachable", links };
      }
      if (target.startsWith("/")) at = "/";
      names = [...namesOf(target), ...rest];
      continue;
    }
    if (found === "missing" && !rest.includes("..")) {
      return { path: join(next, ...rest), kind: "missing", missingFrom: next, links };
    }
    if (found === "missing" || found !== "directory" && rest.length > 0) {
      return { path: join(next, ...rest), kind: "unreachable", links };
    }
    at = name === ".." ? dirname(at) : next;
    kind = found;
    names = rest;
  }
  return { path: at, kind, links };
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}
