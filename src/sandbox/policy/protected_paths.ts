import { basename, dirname } from "@std/path/posix";
import { internalError } from "../../protocol/errors.ts";
import type { Disk } from "../disk.ts";
import { ancestorsOf, childOf, isWithin } from "../../os/native_path.ts";
import { type GitIndex, GitIndexError, parseGitIndex } from "./git_index.ts";
import { resolvePath } from "./resolve_path.ts";

/** The name under which git finds a repository in a working tree. */
const REPOSITORY = ".git";

/**
 * What decides about commands that are run later without a sandbox: a repository's hooks and
 * configuration, and instructions to agents.
 */
const PROTECTED_NAMES = [REPOSITORY, ".agents", ".codex"];

/**
 * The paths that stay read-only below a writable directory, there or not: the protected names, and
 * what git reads besides when somebody uses it in that directory.
 *
 * @param mayWrite whether an entry names a path and lets write it
 * @throws {RpcError} -32603 if something that git reads there cannot be told
 */
export function protectedPaths(
  root: string,
  mayWrite: (path: string) => boolean,
  disk: Disk,
  indexes: GitIndexCache,
): string[] {
  const repository = childOf(root, REPOSITORY);
  return [
    ...PROTECTED_NAMES.map((name) => childOf(root, name)),
    ...repositoryPaths(repository, root, disk),
    // Who may write a repository can make it run anything.
    ...mayWrite(repository) ? [] : [
      ...bareRepositoryPaths(root, disk),
      ...submodulePaths(root, disk, indexes),
    ],
  ];
}

/** Whether a path has a name that is protected in the directory above it. */
export function hasProtectedName(path: string): boolean {
  return PROTECTED_NAMES.includes(basename(path));
}

/** No index of a repository that people work with is larger. */
const MAX_INDEX_BYTES = 512 * 1024 * 1024;

/** What a `.git` file begins with (gitrepository-layout(5)). */
const POINTER = "gitdir: ";

/** Names in a repository's directory by which git is told what to run, or where to read that. */
const TELLS_WHAT_TO_RUN = ["commondir", "config", "config.worktree", "hooks"];

/**
 * Names of what else a repository consists of: by these git knows that it is one, and which others
 * belong to it. Whoever takes the first away has git look for a repository elsewhere.
 */
const PARTS = [
  "HEAD",
  "objects",
  "objects/info/alternates",
  "refs",
  "packed-refs",
  "shallow",
  "index",
  "modules",
  "worktrees",
];

/** How a file that is not UTF-8 reads. */
const REPLACEMENT = "\u{fffd}";

/**
 * What git reads besides when it finds a `.git` (gitrepository-layout(5)): the directory that a
 * `.git` file points to, the directory that a `commondir` file shares with others, and whatever the
 * names that tell git what to run, and those of the repository's parts, lead to, if they are links.
 *
 * The paths are as git goes along them: links on the way are still to be followed, and to be kept.
 * A directory that git goes into and out of again on the way is kept, too, by a name in it: in its
 * place a link could lead to another parent.
 *
 * @param at the path of the `.git`
 * @param tree the directory that it is in
 * @throws {RpcError} -32603 if a name is not UTF-8: it could not be protected
 */
function repositoryPaths(at: string, tree: string, disk: Disk): string[] {
  const repository = repositoryAt(at, tree, disk);
  if (repository === undefined) return [];
  const shared = readPath(childOf(repository, "commondir"), disk);
  const common = shared ? below(repository, shared) : repository;
  const links = [repository, common]
    .flatMap((directory) =>
      [...TELLS_WHAT_TO_RUN, ...PARTS].map((name) => childOf(directory, name))
    )
    .filter((path) => isLink(path, disk));
  const paths = [...new Set([repository, common, ...links])];
  const whole = [repository, common].map((path) => resolvePath(path, disk).path);
  const left = [at, ...paths].flatMap((path) => directoriesLeft(path, disk))
    .filter((directory) => {
      const { path } = resolvePath(directory, disk);
      return !whole.some((protectedPath) => isWithin(path, protectedPath));
    })
    .map((directory) => childOf(directory, REPOSITORY));
  return [...new Set([...paths, ...left])].filter((path) => path !== at);
}

/** The directories that a path and the links on it go into by their names, and out of by `..`. */
function directoriesLeft(path: string, disk: Disk): string[] {
  const { links } = resolvePath(path, disk);
  return [
    ...namedAndLeft(path),
    ...links.flatMap(({ path, target }) =>
      // Whoever may not replace the link may not replace a directory above it either.
      namedAndLeft(target).map((directory) => below(dirname(path), directory))
    ),
  ];
}

/** The beginnings of a path that end in a name before a `..`. */
function namedAndLeft(path: string): string[] {
  const start = path.startsWith("/") ? "/" : "";
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  return names.flatMap((name, index) =>
    index > 0 && name === ".." && names[index - 1] !== ".."
      ? [start + names.slice(0, index).join("/")]
      : []
  );
}

/**
 * What makes git take a directory itself for a repository, and what tells git what to run, if it may be
 * one. A `.git` in it is no reason to do without: git passes over one that lacks a part or is damaged,
 * and whether it does is up to many details of it (`is_git_directory` in its setup.c).
 */
function bareRepositoryPaths(tree: string, disk: Disk): string[] {
  // Without this name nothing is a repository; the others are more common.
  const head = childOf(tree, "HEAD");
  const names = isThere(head, disk) ? [...TELLS_WHAT_TO_RUN, "index", "worktrees"] : [];
  return [head, ...names.map((name) => childOf(tree, name))];
}

/**
 * What git reads of submodules (gitsubmodules(7)), which it goes into when somebody uses it in the
 * working tree that they belong to: each one's `.git`, there or not, and what that leads to.
 *
 * Which directories are submodules is in the index alone. That is part of the repository, and
 * protected with it; `.gitmodules` is a file like any other.
 *
 * @param directory a directory of the working tree; of what is found not all is below it
 * @throws {RpcError} -32603 if an index cannot be read
 */
function submodulePaths(directory: string, disk: Disk, indexes: GitIndexCache): string[] {
  const tree = [directory, ...ancestorsOf(directory).reverse()]
    .find((path) => repositoryAt(childOf(path, REPOSITORY), path, disk) !== undefined);
  return tree === undefined ? [] : submodulesOf(tree, new Set(), disk, indexes);
}

/** @param seen repositories that have been looked at */
function submodulesOf(
  tree: string,
  seen: Set<string>,
  disk: Disk,
  indexes: GitIndexCache,
): string[] {
  const repository = repositoryAt(childOf(tree, REPOSITORY), tree, disk);
  if (repository === undefined) return [];
  const { path } = resolvePath(repository, disk);
  if (seen.has(path)) return [];
  seen.add(path);
  return submodulesInIndex(path, "index", disk, indexes).flatMap((name) => {
    const submodule = childOf(tree, name);
    const at = childOf(submodule, REPOSITORY);
    return [
      at,
      ...repositoryPaths(at, submodule, disk),
      ...submodulesOf(submodule, seen, disk, indexes),
    ];
  });
}

/** The most indexes that a cache holds. */
const MAX_INDEXES = 256;

/** What git's indexes said when they were read last: a large one takes a while. */
export class GitIndexCache {
  /** By the paths of the indexes. */
  readonly #known = new Map<string, { readonly version: string; readonly index: GitIndex }>();

  /**
   * Reads an index, unless it is as it was.
   *
   * @returns undefined if there is nothing in it, or it cannot be opened
   * @throws {RpcError} -32603 if it is in no known format
   */
  read(path: string, disk: Disk): GitIndex | undefined {
    const version = disk.versionOf(path);
    const known = this.#known.get(path);
    if (known !== undefined && known.version === version) return known.index;
    const index = readIndex(path, disk);
    if (index !== undefined && version !== undefined) {
      if (this.#known.size >= MAX_INDEXES) this.#known.clear();
      this.#known.set(path, { version, index });
    }
    return index;
  }
}

function submodulesInIndex(
  repository: string,
  name: string,
  disk: Disk,
  indexes: GitIndexCache,
): readonly string[] {
  const at = resolvePath(childOf(repository, name), disk);
  if (at.kind !== "file") return [];
  const index = indexes.read(at.path, disk);
  if (index === undefined) return [];
  const { submodules, sharedIndex } = index;
  if (sharedIndex === undefined) return submodules;
  return [...submodules, ...submodulesInIndex(repository, sharedIndex, disk, indexes)];
}

/** @throws {RpcError} -32603 if it is in no known format */
function readIndex(path: string, disk: Disk): GitIndex | undefined {
  try {
    const bytes = disk.readWhole(path, MAX_INDEX_BYTES);
    return bytes === undefined || bytes.length === 0 ? undefined : parseGitIndex(bytes);
  } catch (error) {
    if (!(error instanceof GitIndexError || error instanceof RangeError)) throw error;
    throw internalError(
      `the submodules in '${path}' cannot be protected, for they cannot be told: ${error.message}`,
      error,
    );
  }
}

/** The repository's own directory, if a `.git` leads to one. */
function repositoryAt(at: string, tree: string, disk: Disk): string | undefined {
  const { kind } = resolvePath(at, disk);
  if (kind === "directory") return at;
  if (kind !== "file") return undefined;
  const target = readPath(at, disk, POINTER);
  return target ? below(tree, target) : undefined;
}

/**
 * Reads a file that holds a path and nothing else: all but line ends after it is the path, as git
 * has it (`read_gitfile_gently` and `get_common_dir_noenv` in its setup.c).
 */
function readPath(at: string, disk: Disk, beginning = ""): string | undefined {
  const file = resolvePath(at, disk);
  if (file.kind !== "file") return undefined;
  const text = disk.readStart(file.path);
  if (!text.startsWith(beginning)) return undefined;
  const [path = ""] = text.slice(beginning.length).replace(/[\r\n]+$/, "").split("\0");
  if (!path.includes(REPLACEMENT)) return path;
  throw internalError(
    `the repository that '${at}' speaks of cannot be protected, for its path is not UTF-8; ` +
      `grant nothing that may be written above '${dirname(at)}', or move the repository`,
  );
}

/** Without taking `..` back: the name before it may be a link. */
function below(directory: string, path: string): string {
  return path.startsWith("/") ? path : childOf(directory, path);
}

function isLink(path: string, disk: Disk): boolean {
  const { path: directory } = resolvePath(dirname(path), disk);
  return disk.kindOf(childOf(directory, basename(path))) === "link";
}

function isThere(path: string, disk: Disk): boolean {
  return resolvePath(path, disk).kind !== "missing";
}
