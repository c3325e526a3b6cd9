import { lstatSync, unlinkSync } from "node:fs";
import { basename, dirname } from "@std/path/posix";
import { closeDescriptor } from "../../os/descriptor.ts";
import { fileModeAt } from "../../os/file_status.ts";
import { ancestorsOf } from "../../os/native_path.ts";
import { openWithoutLinks, pathTo } from "../../os/open_at.ts";
import { OWN_DEVICES, OWN_PROCESSES } from "../kernel_files.ts";
import type { LinuxAbilities } from "../linux/host.ts";
import type { Access, BoundFiles, Grant } from "../policy/bound_policy.ts";
import type { PolicyGrant } from "../supervisor/policy.ts";
import { type FileView, isAboutHostFiles } from "./file_view.ts";
import type { NameKeeper, NameKeepers } from "./name_keepers.ts";

/** How what is missing is kept from being made, and what is denied from being opened. */
export interface KeptNames {
  /** What still has to be mounted. */
  readonly view: FileView;
  /** Starts what has to be kept from making names; undefined if mounts alone do it. */
  readonly keeper: NameKeeper | undefined;
  /** To be called when nothing is left of the command. Once is enough. */
  release(): void;
}

/**
 * Has a supervisor keep what is missing from being made, so that nothing has to be put on the disk
 * for that, and what is denied from being opened: a mount over it is gone when somebody else puts
 * another file in its place. On a machine where calls cannot be handed over mounts alone have to do.
 *
 * @param session whose command it is
 * @throws {RpcError} -32603 if there is no thread for it
 */
export async function keepNames(
  keepers: NameKeepers,
  session: object,
  view: FileView,
  files: BoundFiles,
  abilities: LinuxAbilities,
): Promise<KeptNames> {
  const byMountsAlone = { view, keeper: undefined, release: () => {} };
  const { supervision, bubblewrap, architecture } = abilities;
  if (files.kind === "all" || supervision.kind === "unusable") return byMountsAlone;
  const missing = missingNames(view, files.grants);
  const reads = deniesByEntry(files);
  if (missing.size === 0 && !reads || bubblewrap.kind === "unusable") return byMountsAlone;
  const grants = [...ALL_BUT_PROCESSES, ...supervisedGrants(files.grants, reads)];
  const ownProcesses = bubblewrap.freshProc;
  const keeper = await keepers.lease(session, { grants, reads }, { architecture, ownProcesses });
  const release = () => {
    keeper.release();
    missing.forEach(removeSocket);
  };
  return { view: withoutMountsAt(missing, view), keeper, release };
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
  if (fileModeAt(path).kind === "failed") return;
  try {
    const directory = openWithoutLinks(dirname(path));
    try {
      const name = `${pathTo(directory)}/${basename(path)}`;
      if (lstatSync(name).isSocket()) unlinkSync(name);
    } finally {
      closeDescriptor(directory);
    }
  } catch {
    // It is gone, or cannot be removed.
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
