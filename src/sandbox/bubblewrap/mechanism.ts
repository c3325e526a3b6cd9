import { inheritedDescriptorLimit } from "../../os/descriptor_limit.ts";
import type { Child, ChildObserver, ChildSandbox } from "../../process/child.ts";
import { internalError } from "../../protocol/errors.ts";
import { checkCommand } from "../check_command.ts";
import { hostDisk } from "../disk.ts";
import { OWN_DEVICES, SHARED_MEMORY } from "../kernel_files.ts";
import type { BubblewrapAbility } from "../linux/bubblewrap_trial.ts";
import { finalStage, readableTools } from "../linux/final_stage.ts";
import type { LinuxAbilities, LinuxHost } from "../linux/host.ts";
import { refuseWritableProgram } from "./writable_program.ts";
import {
  type CommandToSandbox,
  type Mechanism,
  type RefusedPlan,
  type SandboxedBirth,
  type SandboxedCommand,
  unenforceable,
  unusable,
} from "../mechanism.ts";
import type { PortAccess } from "../network/port_relay.ts";
import { type BoundNetwork, type BoundPolicy, untrustedTrees } from "../policy/bound_policy.ts";
import type { Egress } from "../policy/policy.ts";
import type { NetworkMode, SeccompFilters } from "../seccomp/filter.ts";
import { bubblewrapCall, UnwrappableError, type WrapperDescriptor } from "./arguments.ts";
import { type FileView, planFileView } from "./file_view.ts";
import { type HeldView, holdInPlace } from "./hold_in_place.ts";
import { deniesByEntry, keepNames } from "./keep_names.ts";
import { type NameKeeper, NameKeepers } from "./name_keepers.ts";
import { type PlaceholderObserver, Placeholders } from "./placeholders.ts";
import { ProcessNumbers } from "./process_numbers.ts";
import { startInWrapper } from "./start.ts";
import { type ExpectedMounts, verifyMounts } from "./verify_mounts.ts";

/** Each takes descriptors. */
const MAX_PORTS = 128;

/** What bubblewrap makes for a sandbox alone (its option `--dev`). */
const OWN_MOUNTS = [OWN_DEVICES, `${OWN_DEVICES}/pts`];

/** How bubblewrap enforces a policy. */
export interface BubblewrapPlan {
  readonly kind: "bubblewrap";
  readonly policy: BoundPolicy;
  readonly view: FileView;
  readonly program: Extract<BubblewrapAbility, { kind: "usable" }>;
  readonly abilities: LinuxAbilities;
}

/** Sandboxes commands with namespaces and mounts (bwrap(1)), and a filter of system calls. */
export class Bubblewrap implements Mechanism<LinuxAbilities, BubblewrapPlan>, Disposable {
  readonly name = "bubblewrap";
  readonly #host: Pick<LinuxHost, "probe">;
  readonly #filters: SeccompFilters;
  readonly #keepers = new NameKeepers();
  readonly #numbers = new ProcessNumbers();
  /** All commands share them: the last to need one removes it. */
  readonly #placeholders: Placeholders;

  constructor(
    host: Pick<LinuxHost, "probe">,
    filters: SeccompFilters,
    observer?: PlaceholderObserver,
  ) {
    this.#host = host;
    this.#filters = filters;
    this.#placeholders = new Placeholders();
    this.#placeholders.observer = observer;
  }

  probe(untrusted: readonly string[]): Promise<LinuxAbilities> {
    return this.#host.probe(untrusted);
  }

  /** Threads are needed where something is missing that must not be made, or something denied. */
  anticipate({ files }: BoundPolicy): void {
    if (files.kind === "all") return;
    const keepsMissing = files.grants.some(({ kind, access }) =>
      kind === "missing" && access !== "write"
    );
    if (keepsMissing || deniesByEntry(files)) this.#keepers.prepareFirst();
  }

  plan(policy: BoundPolicy, abilities: LinuxAbilities): BubblewrapPlan | RefusedPlan {
    const { bubblewrap, namespaceEntry, kernelTrees, seccomp } = abilities;
    if (!seccomp) return unusable("this kernel cannot filter system calls (seccomp)");
    if (bubblewrap.kind === "unusable") return unusable(bubblewrap.reason, bubblewrap.fix);
    if (policy.network.kind === "loopback" && namespaceEntry.kind === "none") {
      return unenforceable(
        "nsenter is not on PATH outside of the workspace, without which the ports of a managed " +
          "network and the executor's proxy cannot be reached from inside",
        "install util-linux",
      );
    }
    const files = planFileView(policy.files, kernelTrees);
    if (files.kind === "refused") return unenforceable(files.reason);
    return { kind: "bubblewrap", policy, view: files.view, program: bubblewrap, abilities };
  }

  /** Makes ready what the view needs on the disk, which is held until the command is released. */
  async wrap(plan: BubblewrapPlan, command: CommandToSandbox): Promise<BubblewrapCommand> {
    const { policy, program, abilities } = plan;
    const { network } = policy;
    const { path, canSetArg0, freshProc, numbersProcesses } = program;
    const cwd = checkCommand(command, policy.files, hostDisk);
    const tools = readableTools(abilities.tools, policy);
    const stage = finalStage(command, { pwd: cwd, canSetArg0 }, tools);
    if (stage.kind === "refused") throw internalError(`${stage.reason}; it was not started`);

    const portAccess = accessToPorts(network, command.egress, abilities, untrustedTrees(policy));
    const session = command.owner ?? this;
    const names = await keepNames(
      this.#keepers,
      session,
      plan.view,
      policy.files,
      abilities,
    );
    const { keeper } = names;
    let held: HeldView | undefined;
    const release = () => {
      names.release();
      held?.release();
    };
    try {
      held = holdInPlace(names.view, this.#placeholders);
      const takesTerminal = command.terminal && tools.setsid !== undefined;
      const mounts = expectedMounts(held.view, abilities, untrustedTrees(policy));
      const call = bubblewrapCall({
        program: path,
        view: held.view,
        freshProc,
        procSealedLater: mounts.sealDevices?.kind === "privileged",
        lastNumber: numbersProcesses ? this.#numbers.next() : undefined,
        hostNetwork: network.kind === "host",
        seccompProgram: this.#filters.get({
          architecture: abilities.architecture,
          network: filterMode(network),
          handsOverElsewhere: keeper !== undefined,
        }),
        maxDescriptors: inheritedDescriptorLimit(),
        cwd,
        env: command.env,
        newSession: !command.terminal || takesTerminal,
        stage,
      });
      const verify = (pid: number) => verifyMounts(pid, mounts);
      const setup = { ...call, takesTerminal, portAccess, keeper, verify };
      return new BubblewrapCommand(setup, release);
    } catch (error) {
      release();
      if (error instanceof UnwrappableError) throw internalError(error.message, error);
      throw error;
    }
  }

  /** Removes what stands for missing names on the disk, and ends its threads. */
  [Symbol.dispose](): void {
    this.#keepers[Symbol.dispose]();
    this.#placeholders.releaseAll();
  }
}

/** What is to be started, and what has to be true before the command runs. */
export interface WrapperSetup {
  readonly argv: readonly string[];
  readonly descriptors: readonly WrapperDescriptor[];
  /** Whether the command takes the terminal for itself: its wrapper must be started without. */
  readonly takesTerminal: boolean;
  readonly portAccess: PortAccess | undefined;
  /** The threads that start it, if they keep names from coming into being. */
  readonly keeper: NameKeeper | undefined;
  /**
   * Makes sure that nothing is writable in the sandbox of a first process but what may be.
   *
   * @throws {MountError | NamespaceError}
   */
  readonly verify: (firstProcess: number) => Promise<void>;
}

/** A command that bubblewrap, its wrapper, starts. */
export class BubblewrapCommand implements SandboxedCommand {
  readonly sandboxType = "linuxSeccomp";
  readonly setup: WrapperSetup;
  readonly release: () => void;

  constructor(setup: WrapperSetup, release: () => void) {
    this.setup = setup;
    this.release = release;
  }

  start(sandbox: ChildSandbox, birth: SandboxedBirth, observer: ChildObserver): Promise<Child> {
    return startInWrapper(this.setup, this.release, sandbox, birth, observer);
  }
}

function expectedMounts(
  { root, mounts }: FileView,
  { namespaceEntry, tools, ownsDevices }: LinuxAbilities,
  untrusted: readonly string[],
): ExpectedMounts {
  const bound = mounts.filter(({ kind }) => kind === "bind").map(({ path }) => path);
  const writable = mounts.flatMap((mount) =>
    mount.kind === "bind" && mount.writable ? [mount.path] : []
  );
  const granted = root === "host" || root === "writable" ? ["/", ...writable] : writable;
  const covered = mounts.flatMap((mount) =>
    mount.kind === "link" || mount.kind === "bind" && mount.writable ? [] : [mount.path]
  );
  if (ownsDevices && namespaceEntry.kind === "program") refuseWritableProgram(untrusted);
  return {
    granted,
    bound,
    covered,
    own: root === "host" ? SHARED_MEMORY : OWN_MOUNTS,
    sealDevices: ownsDevices ? namespaceEntry : undefined,
    laterMounts: root === "host"
      ? undefined
      : { entry: namespaceEntry, perl: tools.perl, untrusted },
  };
}

function accessToPorts(
  network: BoundNetwork,
  egress: Egress | undefined,
  { namespaceEntry: entry }: LinuxAbilities,
  untrusted: readonly string[],
): PortAccess | undefined {
  if (network.kind !== "loopback") return undefined;
  if (network.ports.length === 0 && network.egress !== true) return undefined;
  const ports = [...new Set(network.ports)];
  if (ports.length > MAX_PORTS) {
    throw internalError(`a managed network of ${ports.length} ports; it can have ${MAX_PORTS}`);
  }
  if (entry.kind === "program") refuseWritableProgram(untrusted);
  return { ports, egress, entry };
}

function filterMode(network: BoundNetwork): NetworkMode {
  switch (network.kind) {
    case "host":
      return "enabled";
    case "none":
      return network.privateLoopback === true ? "privateLoopback" : "restricted";
    case "loopback":
      if (network.privateLoopback === true) return "privateLoopback";
      if (!network.localBinding) return "proxied";
      return network.egress === true ? "privateLoopback" : "proxiedWithBinding";
  }
}
