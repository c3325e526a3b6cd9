import type { BoundIntent, BoundNetwork } from "./grants.ts";
import type { LinuxAbilities } from "./linux/abilities.ts";
import { type FileView, planFileView } from "./linux/file_view.ts";
import { type LandlockRule, landlockRules, OLDEST_LANDLOCK } from "./linux/landlock_rules.ts";

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
    /** The version of the interface to use. */
    readonly version: number;
    readonly network: BoundNetwork;
  }
  | { readonly kind: "seatbelt"; readonly intent: BoundIntent }
  | RefusedPlan;

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
        : refused("/usr/bin/sandbox-exec is missing");
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
  if (intent.network.kind === "loopback") {
    return refused("connections to the ports of a managed network alone cannot be enforced here");
  }
  const means = landlockFirst ? [planLandlock, planBubblewrap] : [planBubblewrap, planLandlock];
  const refusals: RefusedPlan[] = [];
  for (const plan of means) {
    const planned = plan(intent, abilities);
    if (planned.kind !== "refused") return planned;
    refusals.push(planned);
  }
  return refused(
    refusals.map(({ reason }) => reason).join("; "),
    refusals.find(({ fix }) => fix !== undefined)?.fix,
  );
}

function planBubblewrap(intent: BoundIntent, { bubblewrap }: LinuxAbilities): SandboxPlan {
  if (bubblewrap.kind === "unusable") return refused(bubblewrap.reason, bubblewrap.fix);
  const files = planFileView(intent.files);
  if (files.kind === "refused") return refused(files.reason);
  return { kind: "bubblewrap", view: files.view, network: intent.network };
}

function planLandlock(intent: BoundIntent, { landlock }: LinuxAbilities): SandboxPlan {
  if (landlock === 0) return refused("this kernel has no Landlock");
  if (landlock < OLDEST_LANDLOCK) return refused("this kernel's Landlock is too old (Linux 6.2)");
  const files = landlockRules(intent.files);
  if (files.kind === "refused") return refused(files.reason);
  return { kind: "landlock", rules: files.rules, version: landlock, network: intent.network };
}

function refused(reason: string, fix?: string): RefusedPlan {
  return { kind: "refused", reason, fix };
}
