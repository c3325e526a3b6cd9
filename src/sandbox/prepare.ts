import { waitForFileSystems } from "../os/local_file_systems.ts";
import { cannotEnforce } from "./cannot_enforce.ts";
import { startingPaths } from "../process/executable.ts";
import { hostConvention } from "../protocol/path_uri.ts";
import type { SandboxType } from "../protocol/sandbox.ts";
import type { WrappedDescriptor } from "./bubblewrap/arguments.ts";
import type { CommandToWrap } from "./bubblewrap/final_stage.ts";
import type { PortAccess } from "./bubblewrap/prepare.ts";
import type { ExpectedMounts } from "./bubblewrap/verify_mounts.ts";
import { hostDisk } from "./disk.ts";
import { hostAbilities } from "./host.ts";
import type { RestrictedCommand } from "./landlock/prepare.ts";
import type { RestrictedGroup } from "./landlock/restricted_group.ts";
import { planSandbox } from "./plan.ts";
import { bindIntent } from "./policy/bind.ts";
import type { BoundIntent } from "./policy/bound_policy.ts";
import { enforceDirectory } from "./policy/bounds.ts";
import { denyFound } from "./policy/find_denied.ts";
import { certificateFiles, namedPaths } from "./policy/named_paths.ts";
import { requiresSandbox, type SandboxIntent } from "./policy/requires_sandbox.ts";

/** A command as it is to be started. */
export type PreparedSandbox =
  /** As it is: there is nothing to enforce. */
  | { readonly kind: "none" }
  | WrappedCommand
  /** On a thread that encloses it. */
  | {
    readonly kind: "restricted";
    readonly sandboxType: "linuxSeccomp";
    readonly command: RestrictedCommand;
  };

/** A command inside of another that encloses it. */
export interface WrappedCommand {
  readonly kind: "wrapped";
  readonly sandboxType: Exclude<SandboxType, "none">;
  readonly argv: readonly string[];
  readonly cwd: string;
  /** The wrapper's own environment: the command's is among what the wrapper is told. */
  readonly env: Readonly<Record<string, string>>;
  readonly descriptors: readonly WrappedDescriptor[];
  /** Whether the command takes the terminal for itself: its wrapper must be started without. */
  readonly takesTerminal: boolean;
  /** Ports of this machine that the sandbox is to have before the command starts. Linux only. */
  readonly portAccess: PortAccess | undefined;
  /** The threads that start it and keep names from coming into being. Linux only. */
  readonly starter?: RestrictedGroup | undefined;
  /** What may be writable when the sandbox stands, where mounts enclose it. */
  readonly mounts?: ExpectedMounts;
  /**
   * Gives back what was needed on the disk. To be called when every process of the sandbox has
   * ended, or the wrapper was not started; once is enough.
   */
  release(): void;
}

/**
 * Encloses a command as a client intends.
 *
 * @param home the home directory of the user that commands run as
 * @param os the system that commands would run on
 * @throws {RpcError} -32602 if the intent cannot be understood here, -32603 if nothing on this
 * machine enforces it in full: the command must then not be started at all
 */
export async function prepareSandbox(
  intent: SandboxIntent,
  command: CommandToWrap,
  home: string | undefined,
  os: typeof Deno.build.os = Deno.build.os,
): Promise<PreparedSandbox> {
  if (os === "windows" && requiresSandbox(intent)) {
    throw cannotEnforce("commands cannot be enclosed on Windows");
  }
  const facts = {
    convention: hostConvention(),
    home,
    temporaryDirectory: command.env.TMPDIR,
    certificateFiles: intent.managedNetwork === undefined ? [] : certificateFiles(command.env),
  };
  await waitForFileSystems([...namedPaths(intent, facts), ...startingPaths(command)]);
  const asked = bindIntent(intent, facts, hostDisk);
  if (intent.bounds !== undefined) enforceDirectory(intent.bounds, command.cwd, hostDisk);
  if (asked.files.kind === "all" && asked.network.kind === "host") return { kind: "none" };
  const bound = { ...asked, files: denyFound(asked.files, hostDisk) };
  const abilities = await hostAbilities(writableTrees(bound));
  const plan = planSandbox(bound, abilities, {
    mechanism: intent.mechanism ?? "auto",
    landlockFirst: intent.sandbox?.useLegacyLandlock ?? false,
  });
  switch (plan.kind) {
    case "none":
      return { kind: "none" };
    case "refused":
      throw cannotEnforce(plan.reason, plan.fix);
    case "bubblewrap": {
      if (abilities.os !== "linux") throw cannotEnforce("bubblewrap is for Linux");
      const { prepareBubblewrap } = await import("./bubblewrap/prepare.ts");
      const { keepNames } = await import("./bubblewrap/keep_names.ts");
      const wrapped = prepareBubblewrap(
        // The threads that keep names are not in a group of limits, and may not enter it.
        command.group === undefined
          ? await keepNames(plan.view, bound.files, abilities)
          : { view: plan.view, starter: undefined },
        { ...plan, egress: intent.egress },
        command,
        bound,
        abilities,
        writableTrees(bound),
      );
      return { kind: "wrapped", sandboxType: "linuxSeccomp", cwd: "/", env: {}, ...wrapped };
    }
    case "landlock": {
      if (abilities.os !== "linux") throw cannotEnforce("Landlock is for Linux");
      const { prepareLandlock } = await import("./landlock/prepare.ts");
      const restricted = prepareLandlock(plan, command, bound, abilities);
      return { kind: "restricted", sandboxType: "linuxSeccomp", command: restricted };
    }
    case "seatbelt": {
      const { prepareSeatbelt } = await import("./seatbelt/seatbelt_command.ts");
      const globs = asked.files.kind === "all" ? [] : asked.files.deniedGlobs;
      const argv = prepareSeatbelt(plan.intent, globs, command);
      const { cwd, env } = command;
      const nothingHeld = { descriptors: [], takesTerminal: false, release: () => {} };
      const portAccess = undefined;
      return {
        kind: "wrapped",
        sandboxType: "macosSeatbelt",
        argv,
        cwd,
        env,
        portAccess,
        ...nothingHeld,
      };
    }
  }
}

/** Where a client's commands may have left programs. */
function writableTrees({ files, workspaceRoots }: BoundIntent): string[] {
  const granted = files.kind === "all"
    ? []
    : files.grants.filter(({ access }) => access === "write").map(({ path }) => path);
  return [...workspaceRoots, ...granted].filter((path) => path !== "/");
}
