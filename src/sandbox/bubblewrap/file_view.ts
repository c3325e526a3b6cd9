import type { Access, BoundFiles, Grant } from "../policy/bound_policy.ts";
import { ancestorsOf, compareDepth, isWithin } from "../../os/native_path.ts";
import { notWritable, OWN_DEVICES, OWN_PROCESSES } from "../kernel_files.ts";

/** One thing that is put over a path, after those that are put over the paths above it. */
export type Mount =
  /** The host's own file or directory with everything below it. */
  | { readonly kind: "bind"; readonly path: string; readonly writable: boolean }
  /** Nothing, and no way to list it; what is mounted below it can be reached if `passable`. */
  | { readonly kind: "emptyDirectory"; readonly path: string; readonly passable: boolean }
  /** A file that cannot be opened. */
  | { readonly kind: "emptyFile"; readonly path: string }
  /** A symbolic link, where the host's own directory is not to be seen. */
  | { readonly kind: "link"; readonly path: string; readonly target: string };

/** The files of this machine as a command is to see them. */
export interface FileView {
  /** What the rest lies on; `host` is everything as it is, devices included. */
  readonly root: "host" | "writable" | "readOnly" | "empty";
  readonly mounts: readonly Mount[];
  /**
   * Directories, and paths where something is missing, that the command must not make or replace.
   * Only what exists can be mounted over, and only for as long as nobody removes it: each has to be
   * kept in place for as long as the view is in use.
   */
  readonly keptInPlace: readonly string[];
}

/** A view, or why there can be none. */
export type FileViewResult =
  | { readonly kind: "view"; readonly view: FileView }
  | { readonly kind: "refused"; readonly reason: string };

/** The mount that a path is seen through. */
interface Ground {
  readonly path: string;
  readonly access: Access;
}

/** What is seen through which paths; the root is always there. */
type Grounds = Map<string, Access>;

/** A path that mounts cannot keep from being changed. */
class Unmountable extends Error {
  override readonly name = "Unmountable";
}

/**
 * Lays out a view in which every path has the access that its most specific grant gives.
 *
 * The directories between a writable mount and one below it are mounted over themselves: a mount
 * point cannot be renamed (rename(2), EBUSY), so nobody can move what is protected out of the way
 * together with the directory that it is in.
 *
 * @param kernelTrees file systems of the kernel, which can only be read, whatever is granted: on them
 * an executor of root would let a command set what the whole machine does
 */
export function planFileView(files: BoundFiles, kernelTrees: readonly string[]): FileViewResult {
  const fixed = kernelTrees.filter((path) =>
    !isWithin(path, OWN_DEVICES) && !isWithin(path, OWN_PROCESSES)
  );
  if (files.kind === "all") {
    const mounts = fixed.map((path): Mount => ({ kind: "bind", path, writable: false }));
    return { kind: "view", view: { root: "host", mounts, keptInPlace: [] } };
  }
  try {
    return { kind: "view", view: layOut(files.grants, fixed) };
  } catch (error) {
    if (!(error instanceof Unmountable)) throw error;
    return { kind: "refused", reason: error.message };
  }
}

function layOut(grants: readonly Grant[], fixed: readonly string[]): FileView {
  const rootAccess = grants.find((grant) => grant.path === "/")?.access ?? "deny";
  const grounds: Grounds = new Map([["/", rootAccess], [OWN_DEVICES, "deny"]]);
  const mounts = new Map<string, Mount>();
  const keptInPlace: string[] = [];
  for (const grant of grants.filter(isAboutHostFiles)) {
    refuseWriting(grant, fixed);
    const ground = groundOf(grounds, grant.path);
    const at = ground.access === "write" ? pathToTakeBack(grant, ground) : pathToAdd(grant, ground);
    if (at === undefined) continue;
    if (ground.access === "write") {
      if (grant.kind === "missing" || grant.kind === "directory") keptInPlace.push(at);
      for (const directory of directoriesBetween(ground.path, at)) {
        mounts.set(directory, { kind: "bind", path: directory, writable: true });
        grounds.set(directory, "write");
      }
    }
    const mount = mountFor(grant, at);
    mounts.set(at, mount);
    grounds.set(at, mount.kind === "bind" && !mount.writable ? "read" : grant.access);
  }
  for (const path of fixed) {
    if (groundOf(grounds, path).access !== "write") continue;
    mounts.set(path, { kind: "bind", path, writable: false });
  }
  addLinks(grants, grounds, mounts);
  return {
    root: rootAccess === "write" ? "writable" : rootAccess === "read" ? "readOnly" : "empty",
    mounts: withPassages([...mounts.values()])
      .toSorted((left, right) => compareDepth(left.path, right.path)),
    keptInPlace,
  };
}

/** Whether a grant is about files of this machine, and not about what a sandbox has of its own. */
export function isAboutHostFiles({ path }: Grant): boolean {
  return path !== "/" && path !== OWN_DEVICES && !isWithin(path, OWN_PROCESSES);
}

function refuseWriting({ path, access }: Grant, fixed: readonly string[]): void {
  const tree = access === "write" ? fixed.find((tree) => isWithin(path, tree)) : undefined;
  if (tree !== undefined) throw new Unmountable(notWritable(path, tree));
}

/** Where to mount what a grant below a writable directory takes back, if it takes anything back. */
function pathToTakeBack(grant: Grant, ground: Ground): string | undefined {
  if (grant.access === "write") return undefined;
  switch (grant.kind) {
    case "missing":
      return grant.missingFrom;
    case "link":
      throw new Unmountable(
        `'${grant.path}' has to stay as it is, but it is a symbolic link, which a command that may ` +
          `write '${ground.path}' could replace: put what it leads to in its place`,
      );
    case "unreachable":
      throw new Unmountable(
        `'${grant.path}' is below the writable '${ground.path}', but cannot be reached to protect it`,
      );
    default:
      return grant.path;
  }
}

/** Where to mount what a grant elsewhere adds or takes back, if there is anything to do. */
function pathToAdd(grant: Grant, ground: Ground): string | undefined {
  if (grant.access === ground.access) return undefined;
  const exists = grant.kind !== "missing" && grant.kind !== "unreachable";
  return exists ? grant.path : undefined;
}

function mountFor(grant: Grant, at: string): Mount {
  // Above a missing path only that it stays missing matters.
  if (grant.access !== "deny" || at !== grant.path) {
    return { kind: "bind", path: at, writable: grant.access === "write" };
  }
  return grant.kind === "directory" || grant.kind === "missing"
    ? { kind: "emptyDirectory", path: at, passable: false }
    : { kind: "emptyFile", path: at };
}

function groundOf(grounds: Grounds, path: string): Ground {
  for (const ground of [path, ...ancestorsOf(path).reverse()]) {
    const access = grounds.get(ground);
    if (access !== undefined) return { path: ground, access };
  }
  return { path: "/", access: "deny" };
}

function directoriesBetween(outer: string, inner: string): string[] {
  return ancestorsOf(inner).filter((path) => path !== outer && isWithin(path, outer));
}

/** Lets empty directories be passed through where something is mounted below them. */
function withPassages(mounts: readonly Mount[]): Mount[] {
  const passed = new Set(mounts.flatMap((mount) => ancestorsOf(mount.path)));
  return mounts.map((mount) =>
    mount.kind === "emptyDirectory" ? { ...mount, passable: passed.has(mount.path) } : mount
  );
}

/** Makes the links that lead to what is granted where the host's own are not to be seen. */
function addLinks(
  grants: readonly Grant[],
  grounds: Grounds,
  mounts: Map<string, Mount>,
): void {
  for (const grant of grants) {
    if (grant.access === "deny" || grant.kind === "missing") continue;
    for (const { path, target } of grant.links) {
      if (groundOf(grounds, path).access !== "deny" || mounts.has(path)) continue;
      mounts.set(path, { kind: "link", path, target });
    }
  }
}
