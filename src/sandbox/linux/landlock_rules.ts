import type { BoundFiles, Grant } from "../grants.ts";
import { isWithin } from "../native_path.ts";

/** A right that Landlock adds for a path and all below it; writing includes reading. */
export interface LandlockRule {
  readonly path: string;
  readonly access: "read" | "write";
  /** Files below it that are not to be read. @default none */
  readonly except?: readonly string[];
}

/** The rules that enforce a grant of files, or why there can be none. */
export type LandlockRulesResult =
  | { readonly kind: "rules"; readonly rules: readonly LandlockRule[] }
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Before this version of the interface (Linux 6.12) commands could send signals to any process of
 * their user, the executor among them. A filter of system calls could not tell those from their own.
 */
export const OLDEST_LANDLOCK = 6;

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

/**
 * Puts grants in Landlock's terms (landlock(7)).
 *
 * A rule adds rights to a whole tree, and nothing takes them back below. So whatever is more
 * restricted than a directory above it cannot be expressed, the names that stay read-only below
 * every writable directory among it.
 */
export function landlockRules(files: BoundFiles): LandlockRulesResult {
  if (files.kind === "all") return { kind: "rules", rules: [{ path: "/", access: "write" }] };
  const [glob] = files.deniedGlobs;
  if (glob !== undefined) {
    return refused(`what matches '${glob.pattern}' denied`, glob.base);
  }
  for (const [index, grant] of files.grants.entries()) {
    // Connections to sockets are none of its business.
    if (grant.withheld === "socket") continue;
    const above = files.grants.slice(0, index).findLast(({ path }) => isWithin(grant.path, path));
    if (grant.withheld === "secret" && above?.access === "read") continue;
    if (above !== undefined && rights[grant.access] < rights[above.access]) {
      const kept = grant.access === "deny" ? "denied" : "read-only";
      return refused(`'${grant.path}' ${kept}`, above.path);
    }
  }
  const secrets = files.grants.filter(({ withheld }) => withheld === "secret")
    .map(({ path }) => path);
  const rules = files.grants.flatMap(ruleFor).map((rule): LandlockRule => {
    const except = secrets.filter((path) => isWithin(path, rule.path));
    return except.length === 0 ? rule : { ...rule, except };
  });
  return { kind: "rules", rules: [...rules, ...standardRules()] };
}

const rights = { deny: 0, read: 1, write: 2 };

function refused(kept: string, below: string): LandlockRulesResult {
  return {
    kind: "refused",
    reason: `Landlock cannot keep ${kept} while '${below}' above it is granted as a whole`,
  };
}

/** There is nothing to grant where nothing is, nor in a link. */
function ruleFor({ path, access, kind }: Grant): LandlockRule[] {
  if (access === "deny" || kind === "missing" || kind === "unreachable" || kind === "link") {
    return [];
  }
  return [{ path, access }];
}

/** What every command may use. */
export function standardRules(): LandlockRule[] {
  return [
    { path: "/proc", access: "read" },
    ...DEVICES.map((path): LandlockRule => ({ path, access: "write" })),
  ];
}
