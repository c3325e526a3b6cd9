import { basename, join, resolve } from "node:path/posix";
import type { Disk } from "../disk.ts";
import { resolvePath } from "./resolve_path.ts";

/**
 * What decides about commands that are run later without a sandbox: a repository's hooks and
 * configuration, and instructions to agents.
 */
const PROTECTED_NAMES = [".git", ".agents", ".codex"];

/**
 * The paths that stay read-only below a writable directory, there or not, and the directories that
 * a `.git` file there speaks of (gitrepository-layout(5)): its own repository directory and the one
 * that it shares with others.
 */
export function protectedPaths(root: string, disk: Disk): string[] {
  return [
    ...PROTECTED_NAMES.map((name) => join(root, name)),
    ...repositoryDirectories(root, disk),
  ];
}

/** Whether a path has a name that is protected in the directory above it. */
export function hasProtectedName(path: string): boolean {
  return PROTECTED_NAMES.includes(basename(path));
}

function repositoryDirectories(root: string, disk: Disk): string[] {
  const pointer = resolvePath(join(root, ".git"), disk);
  if (pointer.kind !== "file") return [];
  const target = /^gitdir: (.+)$/m.exec(disk.readStart(pointer.path))?.[1];
  if (target === undefined) return [];
  const repository = resolvePath(resolve(root, target), disk).path;
  const common = resolvePath(join(repository, "commondir"), disk);
  if (common.kind !== "file") return [repository];
  const shared = disk.readStart(common.path).split("\n", 1)[0];
  return shared ? [repository, resolve(repository, shared)] : [repository];
}
