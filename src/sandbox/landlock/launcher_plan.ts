/** What the launcher is to do to itself, and the command that it then becomes. JSON. */
export interface LauncherPlan {
  readonly governed: LandlockGoverned;
  readonly rules: readonly LauncherRule[];
  /** The program for seccomp(2), in base64. */
  readonly seccomp: string;
  /** Files to try in order; relative ones start at `cwd`. */
  readonly candidates: readonly string[];
  readonly argv: readonly string[];
  /** `NAME=value` each. */
  readonly env: readonly string[];
  readonly cwd: string;
}

/**
 * What is denied as long as no rule allows it: bits of `LANDLOCK_ACCESS_FS_*`,
 * `LANDLOCK_ACCESS_NET_*` and `LANDLOCK_SCOPE_*`.
 */
export interface LandlockGoverned {
  readonly files: number;
  readonly network: number;
  readonly scopes: number;
}

/** What is allowed at and below a path. */
export interface LauncherRule {
  /** A link on the way makes the launcher give up: the path has been resolved. */
  readonly path: string;
  readonly rights: number;
}

/** The launcher's descriptors, besides the standard streams. */
export const LauncherDescriptor = {
  /** Where it reads its plan, to the end. */
  Plan: 3,
  /** Where it tells its number in the words of `bwrap --json-status-fd`: it becomes the command. */
  Status: 4,
  /** See `WrappedDescriptor`. The byte is taken, and stays so if the command could be executed. */
  Gate: 5,
} as const;
