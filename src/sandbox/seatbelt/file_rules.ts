import {
  type Access,
  accessTo,
  type DeniedGlob,
  type Grant,
  grantFor,
} from "../policy/bound_policy.ts";
import { ancestorsOf } from "../../os/native_path.ts";
import { hasProtectedName } from "../policy/protected_paths.ts";
import type { Parameters } from "./profile.ts";
import { anyCaseTreeRegex, globRegex } from "./path_regex.ts";
import { dirname } from "@std/path/posix";

/** What may be read may be run as well, and mapped as a library. */
const READING = "file-read* file-map-executable process-exec*";
const WRITING = "file-write*";

const canRead = (access: Access) => access !== "deny";
const canWrite = (access: Access) => access === "write";

/**
 * The rules about files.
 *
 * @param grants with canonical paths, each after those above it
 */
export function fileRules(
  grants: readonly Grant[],
  globs: readonly DeniedGlob[],
  parameters: Parameters,
): string[] {
  const readable = regionsOf(grants, canRead);
  const writable = regionsOf(grants, canWrite);
  return [
    ...wayRule(grants, readable, parameters),
    ...readable.map((region) => allow(READING, filterFor(region, "READ", parameters))),
    ...writable.map((region) => allow(WRITING, filterFor(region, "WRITE", parameters))),
    ...pinRule(grants, globs, writable, parameters),
    ...globs.map(({ base, names }) =>
      `(deny ${READING} ${WRITING} ${regexFilter(globRegex(base, names))})`
    ),
  ];
}

/** The rules where nothing is kept from a command. */
export function unrestrictedFileRules(): string[] {
  return [`(allow ${READING} ${WRITING} file-ioctl)`];
}

/** Whether everything may be read. */
export function canReadEverything(
  grants: readonly Grant[],
  globs: readonly DeniedGlob[],
): boolean {
  return globs.length === 0 && grants[0]?.path === "/" &&
    grants.every(({ access }) => canRead(access));
}

function allow(operations: string, filter: string | undefined): string {
  return filter === undefined ? `(allow ${operations})` : `(allow ${operations}\n  ${filter})`;
}

/** Nothing for the whole disk: what has no path is meant as well then. */
function filterFor(
  { root, except }: Region,
  kind: string,
  parameters: Parameters,
): string | undefined {
  if (root === "/" && except.length === 0) return undefined;
  const tree = `(subpath ${parameters.term(kind, root)})`;
  if (except.length === 0) return tree;
  const exceptions = except.flatMap((grant) => exceptionFor(grant, kind, parameters));
  return `(require-all\n    ${[tree, ...exceptions].join("\n    ")})`;
}

/** `subpath` alone would leave it open to create the path itself. */
function exceptionFor(grant: Grant, kind: string, parameters: Parameters): string[] {
  const term = parameters.term(`${kind}_EXCEPT`, grant.path);
  const filters = [`(literal ${term})`, `(subpath ${term})`];
  if (hasProtectedName(grant.path) || grant.kind === "missing") {
    filters.push(regexFilter(anyCaseTreeRegex(grant.path)));
  }
  return filters.map((filter) => `(require-not ${filter})`);
}

function regexFilter(regex: string): string {
  return `(regex #"${regex}")`;
}

/** The directories and links that lead to what may be read can be looked at, not listed. */
function wayRule(
  grants: readonly Grant[],
  readable: readonly Region[],
  parameters: Parameters,
): string[] {
  const files = { kind: "granted", grants, deniedGlobs: [], globMaxDepth: undefined } as const;
  const links = grants.filter(({ access }) => canRead(access)).flatMap((grant) => grant.links);
  const steps = [
    ...readable.flatMap(({ root }) => ancestorsOf(root)),
    ...links.flatMap(({ path }) => [...ancestorsOf(path), path]),
  ].filter((path) => path !== "/" && accessTo(files, path) === "deny");
  return literalRule("allow file-read-metadata", "WAY", steps, parameters);
}

/**
 * Whoever renames a directory takes what is excepted below it to where no rule is about it, and
 * whoever puts something else in the place of a missing one decides what is there. So the way from
 * a writable directory to its exceptions stays as it is.
 */
function pinRule(
  grants: readonly Grant[],
  globs: readonly DeniedGlob[],
  writable: readonly Region[],
  parameters: Parameters,
): string[] {
  const files = { kind: "granted", grants, deniedGlobs: [], globMaxDepth: undefined } as const;
  const restricted = [
    ...writable.flatMap(({ except }) => except.map(({ path }) => dirname(path))),
    ...globs.map(({ base }) => base),
  ];
  const pinned = restricted
    .flatMap((path) => [...ancestorsOf(path), path])
    .filter((path) => path !== "/" && accessTo(files, path) === "write");
  return literalRule("deny file-write-create file-write-unlink", "PIN", pinned, parameters);
}

function literalRule(
  rule: string,
  kind: string,
  paths: readonly string[],
  parameters: Parameters,
): string[] {
  if (paths.length === 0) return [];
  const unique = new Set(paths);
  const terms = Array.from(unique, (path) => `(literal ${parameters.term(kind, path)})`);
  return [`(${rule}\n  ${terms.join("\n  ")})`];
}

/**
 * A grant below what a pattern denies. It would hold, being more specific, but the rules about
 * patterns come last and hide it.
 */
export function grantHiddenByGlob(
  grants: readonly Grant[],
  globs: readonly DeniedGlob[],
): { readonly grant: Grant; readonly glob: DeniedGlob } | undefined {
  for (const grant of grants.filter(({ access }) => canRead(access))) {
    const above = ancestorsOf(grant.path);
    const glob = globs.find((glob) => above.some((path) => glob.matches(path)));
    if (glob !== undefined) return { grant, glob };
  }
  return undefined;
}

/** A tree in which something is allowed, but for some trees in it. */
interface Region {
  readonly root: string;
  /** The uppermost paths below the root where it is not allowed. */
  readonly except: readonly Grant[];
}

/**
 * Divides the disk for one right. Seatbelt allows whole trees: one that has the right again inside
 * of an exception is a region of its own, so that grants nest at any depth.
 *
 * @param grants one for a path, each after those above it
 * @param allows which kinds of access include the right
 */
function regionsOf(
  grants: readonly Grant[],
  allows: (access: Access) => boolean,
): Region[] {
  const regions = new Map<string, { root: string; except: Grant[] }>();
  /** The region that the paths of a grant belong to, by the grant's path. */
  const regionAt = new Map<string, { root: string; except: Grant[] }>();
  for (const [index, grant] of grants.entries()) {
    const above = grantFor(grants.slice(0, index), grant.path);
    const around = above && regionAt.get(above.path);
    if (allows(grant.access)) {
      const region = around ?? { root: grant.path, except: [] };
      regions.set(region.root, region);
      regionAt.set(grant.path, region);
    } else if (around !== undefined) {
      around.except.push(grant);
    }
  }
  return [...regions.values()];
}
