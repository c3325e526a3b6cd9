import type { BoundFiles, Grant } from "../policy/bound_policy.ts";
import { isWithin } from "../../os/native_path.ts";
import { notWritable, OWN_DEVICES, OWN_PROCESSES, SHARED_MEMORY } from "../kernel_files.ts";

/** A right that Landlock adds for a path and all below it. */
export interface LandlockRule {
  readonly path: string;
  /**
   * Writing includes reading. To `use` is to do so with the content of what is there, devices above
   * all, while no name is added, moved or taken away.
   */
  readonly access: "read" | "use" | "write";
  /** What below the path is not to be read. @default none */
  readonly hidden?: readonly string[];
  /** What below the path can only be read, though the rest is written. */
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
 *
 * @param kernelTrees file systems of the kernel, which can only be read, whatever is granted: on them
 * an executor of root would let a command set what the whole machine does. Of a directory on the way
 * to one, only what is there already is granted, name by name.
 */
export function landlockRules(
  files: BoundFiles,
  kernelTrees: readonly string[],
): LandlockRulesResult {
  const fixed = kernelTrees.filter((path) =>
    !isWithin(path, OWN_DEVICES) && !isWithin(path, OWN_PROCESSES)
  );
  if (files.kind === "all") return { kind: "rules", rules: rulesForAll(fixed) };
  for (const { path, access } of files.grants) {
    const tree = access === "write" ? fixed.find((tree) => isWithin(path, tree)) : undefined;
    if (tree !== undefined) return { kind: "refused", reason: notWritable(path, tree) };
  }
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
  const granted = files.grants.flatMap((grant) => ruleFor(grant, fixed)).map(
    (rule): LandlockRule => {
      const hidden = secrets.filter((path) => isWithin(path, rule.path));
      return hidden.length === 0 ? rule : { ...rule, hidden };
    },
  );
  return { kind: "rules", rules: [...granted, ...standardRules()] };
}

/** The devices are the host's: whoever may write all files can use them, but not replace them. */
function rulesForAll(fixed: readonly string[]): LandlockRule[] {
  const except = [OWN_DEVICES, OWN_PROCESSES, ...fixed];
  return [
    { path: "/", access: "write", except },
    { path: OWN_DEVICES, access: "use" },
    ...SHARED_MEMORY.map((path): LandlockRule => ({ path, access: "write" })),
  ];
}

const rights = { deny: 0, read: 1, write: 2 };

function refused(kept: string, below: string): LandlockRulesResult {
  return {
    kind: "refused",
    reason: `Landlock cannot keep ${kept} while '${below}' above it is granted as a whole`,
  };
}

/** There is nothing to grant where nothing is, nor in a link. */
function ruleFor({ path, access, kind }: Grant, fixed: readonly string[]): LandlockRule[] {
  if (access === "deny" || kind === "missing" || kind === "unreachable" || kind === "link") {
    return [];
  }
  if (access === "read") return [{ path, access }];
  if (path === "/") return rulesForAll(fixed);
  // Devices and processes are not there for writing: see `standardRules`.
  if (path === OWN_DEVICES || isWithin(path, OWN_PROCESSES)) return [];
  const except = fixed.filter((tree) => isWithin(tree, path));
  return [{ path, access, ...except.length > 0 && { except } }];
}

/** What every command may use. */
export function standardRules(): LandlockRule[] {
  return [
    { path: "/proc", access: "read" },
    ...DEVICES.map((path): LandlockRule => ({ path, access: "use" })),
  ];
}
