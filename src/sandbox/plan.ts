import type { BoundIntent, BoundNetwork } from "./policy/bound_policy.ts";
import type { LinuxAbilities } from "./linux/abilities.ts";
import { type FileView, planFileView } from "./bubblewrap/file_view.ts";
import { type LandlockFiles, landlockFiles, OLDEST_LANDLOCK } from "./landlock/rules.ts";

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
    readonly files: LandlockFiles;
    readonly network: BoundNetwork;
    /** The kernel's version of Landlock's interface. */
    readonly version: number;
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

/** What encloses commands on Linux. */
export type LinuxMechanism = "auto" | "bubblewrap" | "landlock";

/** Wishes about the means: of whoever runs the executor, and of the client. */
export interface PlanPreferences {
  /** The only one that is to be used; `auto`: the first that works. */
  readonly mechanism: LinuxMechanism;
  /** Whether Landlock is the first to be tried. */
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
  { mechanism, landlockFirst }: PlanPreferences,
): SandboxPlan {
  if (!abilities.seccomp || abilities.architecture === undefined) {
    return refused("this kernel cannot filter system calls (seccomp)");
  }
  if (mechanism === "bubblewrap") return planBubblewrap(intent, abilities);
  if (mechanism === "landlock") return planLandlock(intent, abilities);
  const bubblewrap = planBubblewrap(intent, abilities);
  const landlock = planLandlock(intent, abilities);
  const [first, second] = landlockFirst ? [landlock, bubblewrap] : [bubblewrap, landlock];
  if (first.kind !== "refused") return first;
  if (second.kind !== "refused") return second;
  // Where bubblewrap works, it is the intent that has to change, whatever Landlock cannot do.
  if (abilities.bubblewrap.kind === "usable") return bubblewrap;
  return refused(`${first.reason}; ${second.reason}`, first.fix ?? second.fix);
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
  { landlock, supervision, kernelTrees }: LinuxAbilities,
): LandlockPlan | RefusedPlan {
  if (landlock === 0) return refused("this kernel has no Landlock");
  if (landlock < OLDEST_LANDLOCK) {
    return refused("this kernel's Landlock cannot keep signals in (Linux 6.12 can)");
  }
  const { network } = intent;
  if (network.kind === "loopback" && network.localBinding) {
    return refused("Landlock tells ports apart, but not the hosts that they are listened on");
  }
  const planned = landlockFiles(intent.files, landlock, kernelTrees);
  if (planned.kind === "refused") return refused(planned.reason);
  const files = withConnections(planned, network);
  if (supervision.kind === "unusable" && Object.values(files.supervised).includes(true)) {
    return refused(supervision.reason, supervision.fix);
  }
  if (
    supervision.kind === "usable" && !supervision.copiesDescriptors && files.supervised.connections
  ) {
    return refused(
      "sockets of commands cannot be copied to connect them (pidfd_getfd is refused)",
      "in a container: a seccomp profile that allows pidfd_getfd, or the capability SYS_PTRACE",
    );
  }
  return { kind: "landlock", files, network, version: landlock };
}

/** Connections to named ports are made by the supervisor. */
function withConnections(files: LandlockFiles, network: BoundNetwork): LandlockFiles {
  if (network.kind !== "loopback") return files;
  return {
    ...files,
    supervised: { ...files.supervised, connections: true },
    policy: { ...files.policy, ports: network.ports },
  };
}

function refused(reason: string, fix?: string): RefusedPlan {
  return { kind: "refused", reason, fix };
}
