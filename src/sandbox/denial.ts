import type { SandboxType } from "../protocol/sandbox.ts";

/** How a sandboxed command ended. */
export interface CommandEnd {
  readonly sandboxType: SandboxType;
  readonly exitCode: number;
  /** What it wrote, as far as it has been kept. */
  readonly output: string;
}

/** Words by which programs report that something was refused. */
const DENIAL_WORDS =
  /operation not permitted|permission denied|read-only file system|seccomp|sandbox|landlock|failed to write file/i;

/** Wrong usage, not executable, not found: failures of the command's own, as shells report them. */
const ORDINARY_FAILURES = new Set([2, 126, 127]);

/** The exit code of a command that a filter of system calls killed: 128 + SIGSYS. */
const KILLED_BY_SECCOMP = 128 + 31;

/**
 * Whether a command most likely failed because it was sandboxed.
 *
 * No system says so: the words that the command wrote and its exit code have to do.
 */
export function isSandboxDenial({ sandboxType, exitCode, output }: CommandEnd): boolean {
  if (sandboxType === "none" || exitCode === 0) return false;
  if (DENIAL_WORDS.test(output)) return true;
  if (ORDINARY_FAILURES.has(exitCode)) return false;
  return sandboxType === "linuxSeccomp" && exitCode === KILLED_BY_SECCOMP;
}
