import type { BoundFiles, Grant } from "../grants.ts";
import { isWithin } from "../native_path.ts";
import { executableRules } from "./executable.ts";
import type { SupervisedGroups } from "../supervisor/calls.ts";
import type { PolicyGrant, SupervisorPolicy } from "../supervisor/policy.ts";

/**
 * A right that Landlock adds for a path and all below it; writing includes reading, and reading
 * executing. `list`: to look at the names in directories alone.
 */
export interface LandlockRule {
  readonly path: string;
  readonly access: "list" | "execute" | "read" | "write";
}

/** How Landlock and a supervisor together enforce a grant of files. */
export interface LandlockFiles {
  readonly rules: readonly LandlockRule[];
  /** What may be executed. @default what the rules let read */
  readonly executable: readonly LandlockRule[] | undefined;
  /** What is handed over to the supervisor. */
  readonly supervised: SupervisedGroups;
  /** What the supervisor decides by. */
  readonly policy: SupervisorPolicy;
  /** Whether modes, owners, attributes and times of files have to stay as they are everywhere. */
  readonly fixedMetadata: boolean;
}

/**
 * Before this version of the interface (Linux 6.12) commands could send signals to any process of
 * their user, the executor among them. A filter of system calls could not tell those from their own.
 */
export const OLDEST_LANDLOCK = 6;
/** The first version that governs truncation (Linux 6.2). */
const TRUNCATES = 3;

/**
 * Devices without which few programs run, and each process's own terminal. Not the directory of all
 * terminals: those of the user's other programs are among them.
 */
const DEVICES = [
  "/dev/null",
  "/dev/zero",
  "/dev/full",
  "/dev/random",
  "/dev/urandom",
  "/dev/tty",
];

/** What every command may use. */
const STANDARD: readonly (LandlockRule & PolicyGrant)[] = [
  { path: "/proc", access: "read" },
  ...DEVICES.map((path) => ({ path, access: "write" } as const)),
];

const NOTHING_SUPERVISED: SupervisedGroups = {
  names: false,
  metadata: false,
  reads: false,
  connections: false,
};

const rights = { deny: 0, read: 1, write: 2 };

/**
 * Puts grants in Landlock's terms (landlock(7)), and what these cannot say in a supervisor's.
 *
 * A rule adds rights to a whole tree, and nothing takes them back below. So whatever is more
 * restricted than a directory above it is the supervisor's, the names that stay read-only below
 * every writable directory among it.
 *
 * @param version the kernel's version of the interface
 */
export function landlockFiles(files: BoundFiles, version: number): LandlockFiles {
  if (files.kind === "all") {
    return {
      rules: [{ path: "/", access: "write" }],
      executable: undefined,
      supervised: NOTHING_SUPERVISED,
      policy: { grants: [{ path: "/", access: "write" }], ports: [] },
      fixedMetadata: false,
    };
  }
  const { grants } = files;
  const restricted = grants.filter((grant, index) => {
    const above = grants.slice(0, index).findLast(({ path }) => isWithin(grant.path, path));
    return above !== undefined && rights[grant.access] < rights[above.access];
  });
  const writable = grants.some((grant) => grant.access === "write" && isThere(grant));
  return {
    rules: [...grants.flatMap(ruleFor), ...STANDARD],
    executable: executableRules(grants),
    supervised: {
      names: writable && restricted.length > 0 || version < TRUNCATES,
      metadata: writable,
      reads: restricted.some(({ access }) => access === "deny"),
      connections: false,
    },
    policy: { grants: [...grants.map(policyGrant), ...standardGrants(grants)], ports: [] },
    fixedMetadata: !writable,
  };
}

/** There is nothing to grant where nothing is, nor in a link. */
function ruleFor(grant: Grant): LandlockRule[] {
  const { path, access } = grant;
  return access === "deny" || !isThere(grant) ? [] : [{ path, access }];
}

function isThere({ kind }: Grant): boolean {
  return kind !== "missing" && kind !== "unreachable" && kind !== "link";
}

function policyGrant({ path, access }: Grant): PolicyGrant {
  return { path, access };
}

/** What every command may use, unless the grants themselves are about it. */
function standardGrants(grants: readonly Grant[]): PolicyGrant[] {
  return STANDARD.filter(({ path }) => !grants.some((grant) => grant.path === path));
}
