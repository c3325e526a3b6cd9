import type { BoundIntent, BoundNetwork } from "./policy/bound_policy.ts";
import type { LinuxAbilities } from "./linux/abilities.ts";
import { type FileView, planFileView } from "./bubblewrap/file_view.ts";
import {
  type LandlockRule,
  landlockRules,
  OLDEST_LANDLOCK,
  standardRules,
} from "./landlock/rules.ts";

/** What a machine offers for enclosing commands. */
export type HostAbilities =
  | ({ readonly os: "linux" } & LinuxAbilities)
  | { readonly os: "darwin"; readonly seatbelt: boolean }
  | { readonly os: "other"; readonly name: string };

/** How an intent is enforced on this machine, or why it cannot be. */
export type SandboxPlan =
  /** There is nothing to enforce. */
  | { readonly kind: "none" }
  | {
    readonly kind: "bubblewrap";
    readonly view: FileView;
    readonly network: BoundNetwork;
  }
  | {
    readonly kind: "landlock";
    readonly rules: readonly LandlockRule[];
    /**
     * Whether modes, owners, attributes and times of all files have to stay as they are, of those
     * that may be written too: Landlock leaves them to whoever owns a file, wherever it is.
     */
    readonly fixedMetadata: boolean;
    readonly network: BoundNetwork;
  }
  | { readonly kind: "seatbelt"; readonly intent: BoundIntent }
  | RefusedPlan;

type BubblewrapPlan = Extract<SandboxPlan, { kind: "bubblewrap" }>;
type LandlockPlan = Extract<SandboxPlan, { kind: "landlock" }>;

/** Nothing here can enforce an intent in full. */
export interface RefusedPlan {
  readonly kind: "refused";
  /** What is missing. */
  readonly reason: string;
  /** How to get it, if it can be had. */
  readonly fix: string | undefined;
}

/** Wishes of the client about the means. */
export interface PlanPreferences {
  /** Landlock before bubblewrap, where it is enough. */
  readonly landlockFirst: boolean;
}

/** Chooses the means that enforces an intent in full. Never less is enforced than was asked for. */
export function planSandbox(
  intent: BoundIntent,
  abilities: HostAbilities,
  preferences: PlanPreferences,
): SandboxPlan {
  if (intent.files.kind === "all" && intent.network.kind === "host") return { kind: "none" };
  switch (abilities.os) {
    case "linux":
      return planLinux(intent, abilities, preferences);
    case "darwin":
      return abilities.seatbelt
        ? { kind: "seatbelt", intent }
        : refused("/usr/bin/sandbox-exec is missing or fails, or runs in a sandbox itself");
    case "other":
      return refused(`commands cannot be enclosed on ${abilities.name}`);
  }
}

function planLinux(
  intent: BoundIntent,
  abilities: LinuxAbilities,
  { landlockFirst }: PlanPreferences,
): SandboxPlan {
  if (!abilities.seccomp || abilities.architecture === undefined) {
    return refused("this kernel cannot filter system calls (seccomp)");
  }
  const bubblewrap = planBubblewrap(intent, abilities);
  const landlock = planLandlock(intent, abilities);
  if (landlockFirst && landlock.kind === "landlock" && !restrictsWriting(landlock)) return landlock;
  if (bubblewrap.kind !== "refused") return bubblewrap;
  if (landlock.kind !== "refused") return landlock;
  // Where bubblewrap works, it is the intent that has to change, whatever Landlock cannot do.
  if (abilities.bubblewrap.kind === "usable") return bubblewrap;
  return refused(`${bubblewrap.reason}; ${landlock.reason}`, bubblewrap.fix ?? landlock.fix);
}

/** Whether what may be written is not quite as free as it would be with bubblewrap. */
function restrictsWriting({ rules, fixedMetadata }: LandlockPlan): boolean {
  const devices = standardRules().map(({ path }) => path);
  return fixedMetadata &&
    rules.some(({ path, access }) => access === "write" && !devices.includes(path));
}

function planBubblewrap(
  intent: BoundIntent,
  { bubblewrap, namespaceEntry, kernelTrees }: LinuxAbilities,
): BubblewrapPlan | RefusedPlan {
  if (bubblewrap.kind === "unusable") return refused(bubblewrap.reason, bubblewrap.fix);
  if (intent.network.kind === "loopback" && namespaceEntry.kind === "none") {
    return refused(
      "nsenter is not on PATH outside of the workspace, without which the ports of a managed " +
        "network and the executor's proxy cannot be reached from inside",
      "install util-linux",
    );
  }
  const files = planFileView(intent.files, kernelTrees);
  if (files.kind === "refused") return refused(files.reason);
  return { kind: "bubblewrap", view: files.view, network: intent.network };
}

function planLandlock(
  intent: BoundIntent,
  { landlock, kernelTrees }: LinuxAbilities,
): LandlockPlan | RefusedPlan {
  if (landlock === 0) return refused("this kernel has no Landlock");
  if (landlock < OLDEST_LANDLOCK) {
    return refused("this kernel's Landlock cannot keep signals in (Linux 6.12 can)");
  }
  if (intent.network.kind === "loopback") {
    return refused("Landlock tells ports apart, but not the hosts that they are on");
  }
  const files = landlockRules(intent.files, kernelTrees);
  if (files.kind === "refused") return refused(files.reason);
  return {
    kind: "landlock",
    rules: files.rules,
    fixedMetadata: !files.rules.some(({ path, access }) => path === "/" && access === "write"),
    network: intent.network,
  };
}

function refused(reason: string, fix?: string): RefusedPlan {
  return { kind: "refused", reason, fix };
}
