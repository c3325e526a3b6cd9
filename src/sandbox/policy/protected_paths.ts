import { basename } from "@std/path/posix";
import type { Disk } from "../disk.ts";
import { childOf } from "../../os/native_path.ts";
import {
  bareRepositoryPaths,
  type GitIndexCache,
  REPOSITORY,
  repositoryPaths,
  submodulePaths,
} from "./repository_paths.ts";

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
