import { basename, join } from "@std/path/posix";
import type { Disk, PathKind } from "../disk.ts";
import type { BoundFiles, CrossedLink, DeniedGlob, Grant } from "./bound_policy.ts";
import { type GlobPart, literalName, parseGlobName, unfoldBraces } from "./glob_syntax.ts";
import { resolvePath } from "./resolve_path.ts";
import { internalError } from "../../protocol/errors.ts";
import { compareDepth, isWithin } from "../../os/native_path.ts";

/**
 * Reads an absolute pattern that denies what it matches: as in `.gitignore`, `*` and `?` stay in
 * one name and `**` stands for any number of directories.
 *
 * Links on the way to the first wild character are followed, as the paths that are compared with
 * the pattern have none.
 *
 * @throws {GlobSyntaxError}
 */
export function deniedGlobs(pattern: string, disk: Disk): DeniedGlob[] {
  return unfoldBraces(pattern).map((unfolded) => {
    const names = unfolded.split("/").filter((name) => name !== "" && name !== ".");
    const literals = names.map(literalName);
    const wild = literals.indexOf(undefined);
    // The last name is left to the pattern, for it is the path itself that is denied, not a target.
    const literal = literals.slice(0, wild === -1 ? -1 : wild);
    const { path, links } = resolvePath(`/${literal.join("/")}`, disk);
    return deniedGlob(pattern, path, names.slice(literal.length), links);
  });
}

/**
 * Makes a pattern of its parts, as for one that has come from another thread without its functions.
 *
 * @throws {GlobSyntaxError}
 */
export function deniedGlob(
  pattern: string,
  base: string,
  names: readonly string[],
  links: readonly CrossedLink[] = [],
): DeniedGlob {
  const parts = names.map(parseGlobName);
  const baseNames = namesOf(base);
  const last = parts.at(-1);
  const below = (path: string): string[] | undefined => {
    const names = namesOf(path);
    return baseNames.every((name, at) => names[at] === name)
      ? names.slice(baseNames.length)
      : undefined;
  };
  return {
    pattern,
    base,
    links,
    names,
    matches(path) {
      // Almost no name on a disk is like the last one of a pattern: this is about the rest.
      if (last?.kind === "name" && !last.like.test(basename(path))) return false;
      const given = below(path);
      return given !== undefined && matchesParts(given, parts);
    },
    mayMatchBelow(directory) {
      const given = below(directory);
      return given !== undefined && mayContinue(given, parts);
    },
  };
}

/** Goes through the parts with all places in the path that the ones before can have led to. */
function matchesParts(names: readonly string[], parts: readonly GlobPart[]): boolean {
  let places = [0];
  for (const [at, part] of parts.entries()) {
    if (part.kind === "name") {
      places = places.filter((place) => part.like.test(names[place] ?? ""))
        .filter((place) => place < names.length).map((place) => place + 1);
    } else {
      const [first] = places;
      if (first === undefined) return false;
      // At its end `**` is for what is below a directory, not for the directory itself.
      if (at === parts.length - 1) return first < names.length;
      places = Array.from({ length: names.length - first + 1 }, (_, more) => first + more);
    }
  }
  return places.includes(names.length);
}

function mayContinue(names: readonly string[], parts: readonly GlobPart[]): boolean {
  for (const [at, name] of names.entries()) {
    const part = parts[at];
    if (part === undefined) return false;
    if (part.kind === "anyDepth") return true;
    if (!part.like.test(name)) return false;
  }
  return names.length < parts.length;
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "");
}

/** A path that a glob denies, there when it was looked for. */
export interface DeniedPath {
  readonly path: string;
  readonly kind: Exclude<PathKind, "missing">;
}

/** How many names are looked at for one command, so that a pattern cannot hold it up for long. */
const MAX_NAMES = 300_000;
/** How many directories deep is looked: nobody's own tree comes near, and paths get too long. */
const MAX_DEPTH = 256;
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
  const depthLimit = maxDepth ?? Infinity;
  let names = 0;
  const look = (directory: string, globs: readonly DeniedGlob[], depth: number) => {
    if (depth === depthLimit || globs.length === 0) return;
    if (depth > MAX_DEPTH) {
      throw tooMuch(globs, `there are directories nested more than ${MAX_DEPTH} deep`);
    }
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
        look(path, globs.filter((glob) => glob.mayMatchBelow(path)), depth + 1);
      }
    }
  };
  for (const [base, sharing] of Map.groupBy(globs, (glob) => glob.base)) {
    look(base, sharing, 0);
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
 * Replaces denied globs by denials of what matches them now, for mechanisms that know only paths.
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
