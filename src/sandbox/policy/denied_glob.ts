import { basename } from "@std/path/posix";
import type { Disk } from "../disk.ts";
import type { CrossedLink, DeniedGlob } from "./bound_policy.ts";
import { type GlobPart, literalName, parseGlobName, unfoldBraces } from "./glob_syntax.ts";
import { resolvePath } from "./resolve_path.ts";

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
