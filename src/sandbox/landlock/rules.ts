import { internalError } from "../../protocol/errors.ts";
import type { Disk } from "../disk.ts";
import { allowsMore, type BoundFiles, type Grant } from "../policy/bound_policy.ts";
import { notWritable, OWN_DEVICES, OWN_PROCESSES, SHARED_MEMORY } from "../kernel_files.ts";
import { childOf, compareDepth, isWithin } from "../../os/native_path.ts";
import type { SupervisedGroups } from "../supervisor/calls.ts";
import type { PolicyGrant, SupervisorPolicy } from "../supervisor/policy.ts";
import { executableRules } from "./executable.ts";
import { SINCE } from "./rights.ts";

/** A right that Landlock adds for a path and all below it. */
export interface LandlockRule {
  readonly path: string;
  /**
   * Writing includes reading, and reading executing. To `use` is to read and write the content of
   * what is there, devices above all, while no name is added, moved or taken away. To `list` is to
   * look at the names in directories alone.
   */
  readonly access: "list" | "execute" | "read" | "use" | "write";
  /** What below the path is not to be read. @default none */
  readonly hidden?: readonly string[];
  /** What below the path can only be read, though the rest is written. @default none */
  readonly except?: readonly string[];
}

/** How Landlock and a supervisor together enforce a grant of files. */
export interface LandlockFiles {
  readonly kind: "rules";
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

/** The rules that enforce a grant of files, or why there can be none. */
export type LandlockFilesResult =
  | LandlockFiles
  | { readonly kind: "refused"; readonly reason: string };

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
const STANDARD: readonly LandlockRule[] = [
  { path: OWN_PROCESSES, access: "read" },
  ...DEVICES.map((path): LandlockRule => ({ path, access: "use" })),
];

const NOTHING_SUPERVISED: SupervisedGroups = {
  names: false,
  metadata: false,
  reads: false,
  connections: false,
  signals: false,
};

/**
 * Puts grants in Landlock's terms (landlock(7)), and what these cannot say in a supervisor's.
 *
 * A rule adds rights to a whole tree, and nothing takes them back below. So whatever is more
 * restricted than a directory above it is the supervisor's, the names that stay read-only below
 * every writable directory among it.
 *
 * @param version the kernel's version of the interface
 * @param kernelTrees file systems of the kernel, which can only be read, whatever is granted: on them
 * an executor of root would let a command set what the whole machine does. Of a directory on the way
 * to one, only what is there already is granted, name by name.
 * @param root whether commands run as root
 */
export function landlockFiles(
  files: BoundFiles,
  version: number,
  kernelTrees: readonly string[],
  root = Deno.uid() === 0,
): LandlockFilesResult {
  const fixed = kernelTrees.filter((path) =>
    !isWithin(path, OWN_DEVICES) && !isWithin(path, OWN_PROCESSES)
  );
  const signals = version < SINCE.scopes;
  if (files.kind === "all") {
    return {
      kind: "rules",
      rules: rulesForAll(fixed),
      executable: undefined,
      // Device nodes are files of root's, like any other.
      supervised: { ...NOTHING_SUPERVISED, metadata: root, signals },
      policy: policyOf([{ path: "/", access: "write" }], fixed),
      fixedMetadata: false,
    };
  }
  const { grants } = files;
  for (const { path, access } of grants) {
    const tree = access === "write" ? fixed.find((tree) => isWithin(path, tree)) : undefined;
    if (tree !== undefined) return { kind: "refused", reason: notWritable(path, tree) };
  }
  const device = version < SINCE.deviceControl ? grants.find(isReadableDevice) : undefined;
  if (device !== undefined) {
    return {
      kind: "refused",
      reason: `this kernel's Landlock cannot keep '${device.path}' from being controlled by who ` +
        "may only read it (Linux 6.10 can)",
    };
  }
  const restricted = grants.filter((grant, index) => isRestricted(grant, grants.slice(0, index)));
  const writable = grants.some((grant) => grant.access === "write" && isThere(grant));
  return {
    kind: "rules",
    rules: rulesFor(grants, fixed),
    executable: executableRules(grants),
    supervised: {
      names: writable && restricted.length > 0 || version < SINCE.truncate,
      metadata: writable,
      reads: restricted.some(({ access }) => access === "deny"),
      connections: false,
      signals,
    },
    // Connections to sockets are none of the supervisor's business.
    policy: policyOf(grants.filter(({ withheld }) => withheld !== "socket"), fixed),
    fixedMetadata: !writable,
  };
}

/** Whether it lets a device be read that not everybody may use. */
function isReadableDevice({ path, access, kind }: Grant): boolean {
  return access === "read" && kind !== "missing" && isWithin(path, OWN_DEVICES) &&
    !DEVICES.includes(path) && !SHARED_MEMORY.some((tree) => isWithin(path, tree));
}

/** Whether a grant takes back what the one above it gives, and Landlock alone cannot do so. */
function isRestricted({ path, access, withheld }: Grant, before: readonly Grant[]): boolean {
  if (withheld === "socket") return false;
  const above = before.findLast((grant) => isWithin(path, grant.path));
  if (above === undefined || (withheld === "secret" && above.access === "read")) return false;
  return allowsMore(above.access, access);
}

function rulesFor(grants: readonly Grant[], fixed: readonly string[]): LandlockRule[] {
  const secrets = grants.filter(({ withheld }) => withheld === "secret").map(({ path }) => path);
  const granted = grants.flatMap((grant) => ruleFor(grant, fixed)).map(
    (rule): LandlockRule => {
      const hidden = rule.access === "read"
        ? secrets.filter((path) => isWithin(path, rule.path))
        : [];
      return hidden.length === 0 ? rule : { ...rule, hidden };
    },
  );
  return [...granted, ...STANDARD];
}

/** There is nothing to grant where nothing is, nor in a link. */
function ruleFor(grant: Grant, fixed: readonly string[]): LandlockRule[] {
  const { path, access } = grant;
  if (access === "deny" || !isThere(grant)) return [];
  if (access === "read") return [{ path, access }];
  if (path === "/") return rulesForAll(fixed);
  if (!isForWriting(path)) return [];
  const except = fixed.filter((tree) => isWithin(tree, path));
  return [{ path, access, ...except.length > 0 && { except } }];
}

/** The devices are the host's: whoever may write all files can use them, but not replace them. */
function rulesForAll(fixed: readonly string[]): LandlockRule[] {
  const except = [OWN_DEVICES, OWN_PROCESSES, ...fixed];
  return [
    { path: "/", access: "write", except },
    { path: OWN_DEVICES, access: "use" },
    ...SHARED_MEMORY.map((path): LandlockRule => ({ path, access: "write" })),
    ...STANDARD,
  ];
}

function isThere({ kind }: Grant): boolean {
  return kind !== "missing" && kind !== "unreachable" && kind !== "link";
}

/** Devices and processes are not there for writing: the grants of other things below the devices are. */
function isForWriting(path: string): boolean {
  return path !== OWN_DEVICES && !isWithin(path, OWN_PROCESSES);
}

/** What of the kernel's may be read at all can only be read. */
function policyOf(wanted: readonly PolicyGrant[], fixed: readonly string[]): SupervisorPolicy {
  const grants = wanted.map(({ path, access }): PolicyGrant => ({
    path,
    access: access === "write" && !isForWriting(path) ? "read" : access,
  }));
  const named = new Set(grants.map(({ path }) => path));
  const writable = grants.filter(({ access }) => access === "write");
  const kernels = [OWN_PROCESSES, ...fixed].filter((tree) =>
    !named.has(tree) &&
    (tree === OWN_PROCESSES || writable.some(({ path }) => isWithin(tree, path)))
  );
  const devices = writable.some(({ path }) => path === "/") && !named.has(OWN_DEVICES)
    ? [{ path: OWN_DEVICES, access: "read" } as const]
    : [];
  return {
    grants: [
      ...grants,
      ...kernels.map((path) => ({ path, access: "read" } as const)),
      ...devices,
    ].toSorted((left, right) => compareDepth(left.path, right.path)),
    devices: DEVICES,
    ports: [],
  };
}

const SHARED_MEMORY_DIRECTORY = "/dev/shm";

/**
 * Turns a rule into those that the kernel takes. They hold for all that is below their paths: so
 * what a rule must not reach is left out by naming everything beside it.
 *
 * @throws {RpcError} -32603 if there is too much beside it
 */
export function spellOut(rule: LandlockRule, disk: Disk): LandlockRule[] {
  const { path, access } = rule;
  if (path !== "/" || access !== "read") return rulesAround(rule, disk);
  // Devices are not files to be read: they are the host's disks and the user's other terminals.
  const below = disk.list("/").map(({ name, kind }) => ({ path: `/${name}`, kind }))
    .filter(({ path, kind }) => path !== OWN_DEVICES && kind !== "link");
  return [
    { path: "/", access: "list" },
    ...below.flatMap(({ path }) => rulesAround({ ...rule, path }, disk)),
    { path: SHARED_MEMORY_DIRECTORY, access: "read" },
  ];
}

/** More names than this beside an exception are not granted one by one: each costs a system call. */
const MAX_SIBLINGS = 4096;

function rulesAround(rule: LandlockRule, disk: Disk): LandlockRule[] {
  const { path, access, except = [], hidden = [] } = rule;
  if (hidden.includes(path)) return [];
  if (except.includes(path)) return path === OWN_DEVICES ? [] : [{ path, access: "read" }];
  const inside = [...except, ...hidden].filter((tree) => isWithin(tree, path));
  if (inside.length === 0) return [{ path, access }];
  const names = disk.list(path).filter(({ kind, foreign }) => kind !== "link" && !foreign);
  if (names.length > MAX_SIBLINGS) {
    throw internalError(
      `Landlock cannot keep '${inside[0]}' apart: there is too much in '${path}'; keep it in a ` +
        "directory of its own",
    );
  }
  const below = names.flatMap(({ name }) =>
    rulesAround({ ...rule, path: childOf(path, name) }, disk)
  );
  return [{ path, access: "list" }, ...below];
}
