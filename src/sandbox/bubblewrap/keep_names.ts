import { lstatSync, unlinkSync } from "node:fs";
import { basename, dirname } from "@std/path/posix";
import { closeDescriptor } from "../../os/descriptor.ts";
import { ancestorsOf, isWithin } from "../../os/native_path.ts";
import { openWithoutLinks, pathTo } from "../../os/open_at.ts";
import { log } from "../../log/log.ts";
import { RpcError } from "../../protocol/errors.ts";
import { OWN_PROCESSES } from "../kernel_files.ts";
import type { LinuxAbilities } from "../linux/host.ts";
import type { Access, BoundFiles, Grant } from "../policy/bound_policy.ts";
import type { GroupLease, GroupPool } from "../restricted_threads/group_pool.ts";
import type { GroupPlan } from "../restricted_threads/restricted_group.ts";
import { handoverFilter } from "../seccomp/filter.ts";
import type { PolicyGrant } from "../supervisor/policy.ts";
import type { FileView } from "./file_view.ts";

/** How what is missing is kept from being made. */
export interface KeptNames {
  /** What still has to be mounted. */
  readonly view: FileView;
  /** Starts what has to be kept from making names; undefined if mounts alone do it. */
  readonly starter: GroupLease | undefined;
  /** To be called when nothing is left of the command. Once is enough. */
  release(): void;
}

const NAMES = {
  names: true,
  metadata: false,
  reads: false,
  connections: false,
  signals: false,
};

/**
 * Has a supervisor keep what is missing from being made, so that nothing has to be put on the disk
 * for that. Where calls cannot be handed over, or too many supervisors are at work, something is
 * mounted over the names instead.
 */
export async function keepNames(
  groups: GroupPool,
  view: FileView,
  files: BoundFiles,
  abilities: LinuxAbilities,
): Promise<KeptNames> {
  const byMountsAlone = { view, starter: undefined, release: () => {} };
  const { supervision, bubblewrap, architecture } = abilities;
  if (files.kind === "all" || supervision.kind === "unusable") return byMountsAlone;
  const missing = missingNames(view, files.grants);
  if (missing.size === 0 || bubblewrap.kind === "unusable") return byMountsAlone;
  const grants = protectedNames(files.grants);
  const own = { mounts: true, processes: bubblewrap.freshProc };
  const plan = (): GroupPlan => ({
    restrictions: {
      landlock: undefined,
      filter: handoverFilter(NAMES, architecture),
      supervised: true,
    },
    policy: { grants: [...ALL_BUT_PROCESSES, ...grants], devices: [], ports: [], own },
    architecture,
  });
  try {
    const starter = await groups.lease(groups, JSON.stringify(["names", grants, own]), plan);
    const release = () => {
      starter.release();
      missing.forEach(removeSocket);
    };
    return { view: withoutMountsAt(missing, view), starter, release };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const reason = error.message;
    log("warn", "empty directories stand for protected names while a command runs", { reason });
    return byMountsAlone;
  }
}

/**
 * Takes a name from a socket. bind(2) makes one without being handed over: whoever made it on a
 * command's behalf could do so in the command's directory only under another address than the command
 * has asked for, which it is told afterwards, and others with it (unix(7)).
 */
function removeSocket(path: string): void {
  try {
    const directory = openWithoutLinks(dirname(path));
    try {
      const name = `${pathTo(directory)}/${basename(path)}`;
      if (lstatSync(name).isSocket()) unlinkSync(name);
    } finally {
      closeDescriptor(directory);
    }
  } catch {
    // Nothing is there, as nearly always, or nothing that can be removed.
  }
}

/** Mounts decide about everything that is there. */
const ALL_BUT_PROCESSES: readonly PolicyGrant[] = [
  { path: "/", access: "write" },
  { path: OWN_PROCESSES, access: "read" },
];

/** Where something would be mounted over a name that is missing. */
function missingNames({ keptInPlace }: FileView, grants: readonly Grant[]): ReadonlySet<string> {
  const missing = new Set(
    grants.flatMap((grant) => grant.kind === "missing" ? [grant.missingFrom] : []),
  );
  return new Set(keptInPlace.filter((path) => missing.has(path)));
}

/**
 * What is missing and must not be made, and what is there and must not be changed: somebody else may
 * replace that while a command runs, and what was mounted over it is gone then.
 */
function protectedNames(grants: readonly Grant[]): PolicyGrant[] {
  const accesses = new Map<string, Access>(grants.map(({ path, access }) => [path, access]));
  const accessAbove = (path: string) => {
    const above = ancestorsOf(path).findLast((directory) => accesses.has(directory));
    return above === undefined ? "deny" : accesses.get(above);
  };
  const kept: PolicyGrant[] = [];
  for (const { path, access, kind } of grants) {
    const protects = (kind === "missing" && access !== "write" || access === "read") &&
      accessAbove(path) === "write";
    if (protects || kept.some((grant) => isWithin(path, grant.path))) kept.push({ path, access });
  }
  return kept;
}

function withoutMountsAt(paths: ReadonlySet<string>, view: FileView): FileView {
  return {
    ...view,
    mounts: view.mounts.filter(({ path }) => !paths.has(path)),
    keptInPlace: view.keptInPlace.filter((path) => !paths.has(path)),
  };
}
