import { lstatSync, unlinkSync } from "node:fs";
import { basename, dirname } from "@std/path/posix";
import { closeDescriptor } from "../../os/descriptor.ts";
import { ancestorsOf } from "../../os/native_path.ts";
import { openWithoutLinks, pathTo } from "../../os/open_at.ts";
import { log } from "../../log/log.ts";
import { RpcError } from "../../protocol/errors.ts";
import { OWN_DEVICES, OWN_PROCESSES } from "../kernel_files.ts";
import type { LinuxAbilities } from "../linux/host.ts";
import type { Access, BoundFiles, Grant } from "../policy/bound_policy.ts";
import type { GroupLease, GroupPool } from "../restricted_threads/group_pool.ts";
import type { GroupPlan } from "../restricted_threads/restricted_group.ts";
import { handoverFilter } from "../seccomp/filter.ts";
import type { PolicyGrant } from "../supervisor/policy.ts";
import { type FileView, isAboutHostFiles } from "./file_view.ts";

/** How what is missing is kept from being made, and what is denied from being opened. */
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
  connections: false,
  signals: false,
};

/**
 * Has a supervisor keep what is missing from being made, so that nothing has to be put on the disk
 * for that, and what is denied from being opened: a mount over it is gone when somebody else puts
 * another file in its place. Where calls cannot be handed over, or too many supervisors are at work,
 * mounts alone have to do.
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
  const reads = deniesByEntry(files);
  if (missing.size === 0 && !reads || bubblewrap.kind === "unusable") return byMountsAlone;
  const grants = supervisedGrants(files.grants, reads);
  const own = { mounts: true, processes: bubblewrap.freshProc };
  const plan = (): GroupPlan => ({
    restrictions: {
      landlock: undefined,
      filter: handoverFilter({ ...NAMES, reads }, architecture),
      supervised: true,
    },
    policy: { grants: [...ALL_BUT_PROCESSES, ...grants], devices: [], ports: [], own },
    architecture,
  });
  try {
    const starter = await groups.lease(groups, JSON.stringify(["names", reads, grants, own]), plan);
    const release = () => {
      starter.release();
      missing.forEach(removeSocket);
    };
    return { view: withoutMountsAt(missing, view), starter, release };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const reason = error.message;
    log("warn", "mounts alone keep protected names and denied files while a command runs", {
      reason,
    });
    return byMountsAlone;
  }
}

/**
 * Whether something is denied that could be read otherwise. The executor's own files are in no
 * sandbox: to have every file opened by a supervisor for them alone would slow down every command.
 */
export function deniesByEntry(files: BoundFiles): boolean {
  if (files.kind === "all") return false;
  const accessAbove = accessesAbove(files.grants);
  return files.grants.some((grant) =>
    grant.access === "deny" && grant.withheld === undefined && isAboutHostFiles(grant) &&
    accessAbove(grant.path) !== "deny"
  );
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
 *
 * @param reads whether what is denied is among it
 */
function supervisedGrants(grants: readonly Grant[], reads: boolean): PolicyGrant[] {
  const accessAbove = accessesAbove(grants);
  const kept = new Map<string, PolicyGrant>();
  for (const { path, access, kind } of grants.filter(isAboutHostFiles)) {
    const above = accessAbove(path);
    const protects = (kind === "missing" && access !== "write" || access === "read") &&
      above === "write";
    const denies = reads && access === "deny" && above !== "deny";
    if (protects || denies || ancestorsOf(path).some((directory) => kept.has(directory))) {
      kept.set(path, { path, access });
    }
  }
  return [...kept.values()];
}

/** What may be done where a path is, whatever may be done with the path itself. */
function accessesAbove(grants: readonly Grant[]): (path: string) => Access {
  const accesses = new Map<string, Access>(grants.map(({ path, access }) => [path, access]));
  // Those of the command's own are there, whatever is granted of the host's.
  for (const path of [OWN_DEVICES, OWN_PROCESSES]) accesses.set(path, "deny");
  return (path) => {
    const above = ancestorsOf(path).findLast((directory) => accesses.has(directory));
    return above === undefined ? "deny" : accesses.get(above) ?? "deny";
  };
}

function withoutMountsAt(paths: ReadonlySet<string>, view: FileView): FileView {
  return {
    ...view,
    mounts: view.mounts.filter(({ path }) => !paths.has(path)),
    keptInPlace: view.keptInPlace.filter((path) => !paths.has(path)),
  };
}
