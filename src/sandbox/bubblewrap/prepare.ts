import { internalError } from "../../protocol/errors.ts";
import { hostDisk } from "../disk.ts";
import { accessTo, type BoundIntent, type BoundNetwork } from "../policy/bound_policy.ts";
import type { LinuxAbilities, NamespaceEntry } from "../linux/abilities.ts";
import {
  type BubblewrapCall,
  bubblewrapCall,
  UnwrappableError,
  type WrappedDescriptor,
} from "./arguments.ts";
import { checkCommand } from "../linux/check_command.ts";
import type { FileView } from "./file_view.ts";
import { type CommandToWrap, finalStage, type HelperTools } from "./final_stage.ts";
import { holdInPlace } from "./hold_in_place.ts";
import type { KeptNames } from "./keep_names.ts";
import type { RestrictedGroup } from "../landlock/restricted_group.ts";
import { OWN_DEVICES, SHARED_MEMORY } from "../kernel_files.ts";
import { refuseWritableProgram } from "../linux/own_program.ts";
import type { Egress } from "../policy/requires_sandbox.ts";
import { type NetworkMode, seccompFilter } from "../seccomp/filter.ts";
import type { Architecture } from "../seccomp/profile.ts";
import type { ExpectedMounts } from "./verify_mounts.ts";

/** Ports of this machine's loopback that are to be there inside of the sandbox before the command. */
export interface PortAccess {
  readonly ports: readonly number[];
  /** Serves connections to {@linkcode EGRESS_PORT}, if that is to be there. */
  readonly egress: Egress | undefined;
  readonly entry: NamespaceEntry;
}

/** Each takes descriptors. */
const MAX_PORTS = 128;

/** A command in its wrapper. */
export interface BubblewrappedCommand {
  readonly argv: readonly string[];
  readonly descriptors: readonly WrappedDescriptor[];
  /** Whether the command takes the terminal for itself: its wrapper must be started without. */
  readonly takesTerminal: boolean;
  readonly portAccess: PortAccess | undefined;
  /** The threads that start it, if they keep names from coming into being. */
  readonly starter: RestrictedGroup | undefined;
  /** What may be writable when the sandbox stands. */
  readonly mounts: ExpectedMounts;
  /** Gives back what the wrapped command needed on the disk; once is enough. */
  release(): void;
}

/** What a plan for bubblewrap holds. */
export interface BubblewrapPlan {
  readonly view: FileView;
  readonly network: BoundNetwork;
  /** Whoever serves the command's way out, if it has one. */
  readonly egress: Egress | undefined;
}

const HARMLESS_DEVICE = "/dev/null";
/** What bubblewrap makes for a sandbox alone (its option `--dev`). */
const OWN_MOUNTS = [OWN_DEVICES, `${OWN_DEVICES}/pts`];

/** Programs for the kernel: they take a while to build and are always the same. */
const filters = new Map<string, Uint8Array<ArrayBuffer>>();

/**
 * Wraps a command and makes ready what its view needs on the disk, which is held until it is
 * released.
 *
 * @param outside directories from which no program is run unenclosed: a client's commands may have
 * written it
 * @throws {RpcError} -32603 if the command could not be started so, or not in full
 */
export function prepareBubblewrap(
  { view, starter }: KeptNames,
  { network, egress }: Omit<BubblewrapPlan, "view">,
  command: CommandToWrap,
  intent: BoundIntent,
  abilities: LinuxAbilities,
  outside: readonly string[],
): BubblewrappedCommand {
  const { bubblewrap, architecture } = abilities;
  if (bubblewrap.kind === "unusable" || architecture === undefined) {
    throw internalError("bubblewrap cannot be used here");
  }
  const cwd = checkCommand(command, intent.files, hostDisk);
  const tools = readableTools(abilities.tools, intent);
  const { canSetArg0 } = bubblewrap;
  const stage = finalStage(command, { pwd: cwd, canSetArg0 }, tools);
  if (stage.kind === "refused") throw internalError(`${stage.reason}; it was not started`);

  const portAccess = accessToPorts(network, egress, abilities, outside);
  const held = holdInPlace(view);
  const endLease = starter?.lease();
  const release = () => {
    endLease?.();
    held.release();
  };
  try {
    const takesTerminal = command.terminal && tools.setsid !== undefined;
    const call: BubblewrapCall = bubblewrapCall({
      program: bubblewrap.path,
      view: held.view,
      freshProc: bubblewrap.freshProc,
      hostNetwork: network.kind === "host",
      seccompProgram: filterFor(network, architecture, starter !== undefined),
      cwd,
      env: command.env,
      newSession: !command.terminal || takesTerminal,
      stage,
    });
    const mounts = expectedMounts(held.view, abilities, outside);
    return { ...call, takesTerminal, portAccess, mounts, starter, release };
  } catch (error) {
    release();
    if (error instanceof UnwrappableError) throw internalError(error.message, error);
    throw error;
  }
}

function expectedMounts(
  { root, mounts }: FileView,
  { namespaceEntry }: LinuxAbilities,
  outside: readonly string[],
): ExpectedMounts {
  const bound = mounts.flatMap((mount) =>
    mount.kind === "bind" && mount.writable ? [mount.path] : []
  );
  const granted = root === "host" || root === "writable" ? ["/", ...bound] : bound;
  const ownsDevices = Deno.statSync(HARMLESS_DEVICE).uid === Deno.uid();
  if (ownsDevices && namespaceEntry.kind === "program") refuseWritableProgram(outside);
  return {
    granted,
    own: root === "host" ? SHARED_MEMORY : OWN_MOUNTS,
    sealDevices: ownsDevices ? namespaceEntry : undefined,
  };
}

function accessToPorts(
  network: BoundNetwork,
  egress: Egress | undefined,
  { namespaceEntry: entry }: LinuxAbilities,
  outside: readonly string[],
): PortAccess | undefined {
  if (network.kind !== "loopback") return undefined;
  if (network.ports.length === 0 && network.egress !== true) return undefined;
  const ports = [...new Set(network.ports)];
  if (ports.length > MAX_PORTS) {
    throw internalError(`a managed network of ${ports.length} ports; it can have ${MAX_PORTS}`);
  }
  if (entry.kind === "program") refuseWritableProgram(outside);
  return { ports, egress, entry };
}

/** Only what the command may read can run before it. */
export function readableTools(tools: HelperTools, { files }: BoundIntent): HelperTools {
  const readable = Object.entries(tools)
    .filter(([_, path]) => accessTo(files, Deno.realPathSync(path)) !== "deny");
  return Object.fromEntries(readable);
}

function filterFor(
  network: BoundNetwork,
  architecture: Architecture,
  handsOverElsewhere: boolean,
): Uint8Array<ArrayBuffer> {
  const options = { architecture, network: filterMode(network), handsOverElsewhere };
  const key = JSON.stringify(options);
  const filter = filters.get(key) ?? seccompFilter(options);
  filters.set(key, filter);
  return filter;
}

function filterMode(network: BoundNetwork): NetworkMode {
  switch (network.kind) {
    case "host":
      return "enabled";
    case "none":
      return network.privateLoopback === true ? "privateLoopback" : "restricted";
    case "loopback":
      if (!network.localBinding) return "proxied";
      return network.egress === true ? "privateLoopback" : "proxiedWithBinding";
  }
}
