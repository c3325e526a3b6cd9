import { RpcError } from "../../protocol/errors.ts";
import { log } from "../../log/log.ts";
import type { LinuxAbilities } from "../linux/abilities.ts";
import type { GroupPlan, RestrictedGroup } from "../landlock/restricted_group.ts";
import { sharedGroups } from "../landlock/start.ts";
import type { BoundFiles } from "../policy/bound_policy.ts";
import { handoverFilter } from "../seccomp/filter.ts";
import type { PolicyGrant } from "../supervisor/policy.ts";
import type { FileView } from "./file_view.ts";

/** How what is missing is kept from being made. */
export interface KeptNames {
  /** What still has to be mounted. */
  readonly view: FileView;
  /** Starts what has to be kept from making names; undefined if mounts alone do it. */
  readonly starter: RestrictedGroup | undefined;
}

const NEW_NAMES = {
  names: false,
  newNames: true,
  metadata: false,
  reads: false,
  connections: false,
};

/**
 * Has a supervisor keep what is missing from being made, so that nothing has to be put on the disk
 * for that. Where calls cannot be handed over, or too many supervisors are at work, something is
 * mounted over the names instead.
 */
export async function keepNames(
  view: FileView,
  files: BoundFiles,
  { supervision, architecture, bubblewrap }: LinuxAbilities,
): Promise<KeptNames> {
  const missing = missingBelowWritable(view, files);
  if (
    missing.size === 0 || files.kind === "all" || architecture === undefined ||
    supervision.kind === "unusable" || bubblewrap.kind === "unusable"
  ) return { view, starter: undefined };
  const grants = files.grants.filter(({ kind }) => kind === "missing")
    .map(({ path, access }) => ({ path, access }));
  const own = { mounts: true, processes: bubblewrap.freshProc };
  try {
    const starter = await sharedGroups().take(
      JSON.stringify(["names", grants, own]),
      () => planFor(grants, own, architecture),
    );
    return { view: withoutMountsAt(missing, view), starter };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const reason = error.message;
    log("warn", "empty directories stand for protected names while a command runs", { reason });
    return { view, starter: undefined };
  }
}

function planFor(
  grants: readonly PolicyGrant[],
  own: { readonly mounts: boolean; readonly processes: boolean },
  architecture: NonNullable<LinuxAbilities["architecture"]>,
): GroupPlan {
  return {
    restrictions: {
      landlock: undefined,
      filter: handoverFilter(NEW_NAMES, architecture),
      supervised: true,
    },
    // Mounts decide about everything that is there.
    policy: { grants: [{ path: "/", access: "write" }, ...grants], devices: [], ports: [], own },
    architecture,
  };
}

/** Where something would be mounted over a name that is missing. */
function missingBelowWritable(view: FileView, files: BoundFiles): ReadonlySet<string> {
  if (files.kind === "all") return new Set();
  const missing = new Set(
    files.grants.flatMap(({ kind, missingFrom }) =>
      kind === "missing" && missingFrom !== undefined ? [missingFrom] : []
    ),
  );
  return new Set(view.keptInPlace.filter((path) => missing.has(path)));
}

function withoutMountsAt(paths: ReadonlySet<string>, view: FileView): FileView {
  return {
    ...view,
    mounts: view.mounts.filter(({ path }) => !paths.has(path)),
    keptInPlace: view.keptInPlace.filter((path) => !paths.has(path)),
  };
}
