import {
  type Child,
  type ChildObserver,
  type ChildSandbox,
  StartError,
} from "../../process/child.ts";
import { runChild, startChild } from "../../process/start_child.ts";
import { checkCommand } from "../check_command.ts";
import { hostDisk } from "../disk.ts";
import {
  type CommandToSandbox,
  type Mechanism,
  type RefusedPlan,
  type SandboxedBirth,
  type SandboxedCommand,
  unusable,
} from "../mechanism.ts";
import type { BoundNetwork, BoundPolicy } from "../policy/bound_policy.ts";
import { RetriedProbe } from "../retried_probe.ts";
import { SandboxedChild } from "../sandboxed_child.ts";
import { internalError } from "../../protocol/errors.ts";
import { hostRealPath, type RealPath, seatbeltProfile } from "./profile.ts";

/** How Seatbelt enforces a policy. */
export interface SeatbeltPlan {
  readonly kind: "seatbelt";
  readonly policy: BoundPolicy;
}

/** Sandboxes commands with a profile for macOS's own sandbox (sandbox-exec(1)). */
export class Seatbelt implements Mechanism<boolean, SeatbeltPlan> {
  readonly name = "seatbelt";
  readonly #probe = new RetriedProbe({
    ask: async () => (await Promise.all(NETWORKS.map(takes))).every(Boolean),
    isFinal: (works) => works,
  });

  /**
   * Whether Seatbelt takes our profiles here; asked again after a refusal, which may have been for
   * want of processes, descriptors or memory. It takes none from a process that is in a sandbox
   * itself, and a version of macOS may lack a word of its language: once a command's wrapper runs,
   * that could not be told from the command's own failure.
   */
  probe(): Promise<boolean> {
    return this.#probe.answer();
  }

  plan(policy: BoundPolicy, works: boolean): SeatbeltPlan | RefusedPlan {
    if (works) return { kind: "seatbelt", policy };
    return unusable("/usr/bin/sandbox-exec is missing or fails, or runs in a sandbox itself");
  }

  wrap({ policy }: SeatbeltPlan, command: CommandToSandbox): SeatbeltCommand {
    const { files, deniedLater = [] } = policy;
    checkCommand(command, files, hostDisk);
    const withGlobs = files.kind === "all" ? files : { ...files, deniedGlobs: deniedLater };
    const argv = seatbeltCommand({ policy: { ...policy, files: withGlobs } }, command);
    return new SeatbeltCommand(argv, command);
  }
}

/** A command that sandbox-exec(1) starts, in the directory and environment of the command itself. */
class SeatbeltCommand implements SandboxedCommand {
  readonly sandboxType = "macosSeatbelt";
  readonly #argv: readonly string[];
  readonly #command: CommandToSandbox;

  constructor(argv: readonly string[], command: CommandToSandbox) {
    this.#argv = argv;
    this.#command = command;
  }

  async start(
    sandbox: ChildSandbox,
    { stdio }: SandboxedBirth,
    observer: ChildObserver,
  ): Promise<Child> {
    const { cwd, env } = this.#command;
    const child = await startChild({ argv: this.#argv, cwd, env, stdio }, observer);
    return new SandboxedChild(child, sandbox);
  }

  release(): void {
    // It holds nothing.
  }
}

/** Between them they take every template and every kind of rule. */
const NETWORKS: readonly BoundNetwork[] = [
  { kind: "host" },
  { kind: "loopback", ports: [1], localBinding: true },
];

async function takes(network: BoundNetwork): Promise<boolean> {
  const command = { argv: ["/usr/bin/true"], cwd: "/", env: {}, terminal: false };
  const argv = seatbeltCommand({ policy: trialPolicy(network) }, command);
  try {
    return (await runChild({ argv, cwd: "/", env: {} })).exitCode === 0;
  } catch (error) {
    if (error instanceof StartError) return false;
    throw error;
  }
}

function trialPolicy(network: BoundNetwork): BoundPolicy {
  return {
    files: {
      kind: "granted",
      grants: [
        { path: "/", access: "read", kind: "directory", links: [] },
        { path: "/private/tmp", access: "write", kind: "directory", links: [] },
        { path: "/private/tmp/.git", access: "read", kind: "missing", links: [] },
      ],
      deniedGlobs: [],
      globMaxDepth: undefined,
    },
    network,
    workspaceRoots: [],
  };
}

/** The system's own: a program of that name elsewhere on PATH could be anyone's. */
const SANDBOX_EXEC = "/usr/bin/sandbox-exec";
const ENV = "/usr/bin/env";

/** What Seatbelt is to enforce. */
export interface SeatbeltRules {
  readonly policy: BoundPolicy;
  /**
   * Absolute paths; unix sockets there and below may be bound and connected to.
   *
   * @default none, but for a command that may use the whole network
   */
  readonly unixSockets?: readonly string[];
}

/**
 * The arguments that sandbox a command (sandbox-exec(1)). Directory and environment are those of the command itself.
 *
 * @throws {RpcError} -32603 if the policy cannot be enforced in full, or the command would not get
 * its name and variables exactly as they were asked for
 */
export function seatbeltCommand(
  { policy, unixSockets = [] }: SeatbeltRules,
  command: CommandToSandbox,
  realPath: RealPath = hostRealPath,
): string[] {
  const { argv, arg0 } = command;
  if (arg0 !== undefined && arg0 !== argv[0]) {
    throw internalError(
      "a sandboxed command cannot be given another name (arg0) on macOS; it was not started",
    );
  }
  const { text, definitions } = seatbeltProfile(policy, unixSockets, realPath);
  return [SANDBOX_EXEC, "-p", text, ...definitions, "--", ...withLinkerVariables(command)];
}

/**
 * The system takes the dynamic linker's variables from its own programs, sandbox-exec among them
 * (dyld(1), System Integrity Protection). So env(1) sets them again right before the command.
 */
function withLinkerVariables({ argv, env }: CommandToSandbox): readonly string[] {
  const taken = Object.entries(env).filter(([name]) => /^(DYLD_|LD_LIBRARY_PATH$)/.test(name));
  if (taken.length === 0) return argv;
  if (argv[0]?.includes("=") || argv[0]?.startsWith("-")) {
    throw internalError(
      `'${argv[0]}' cannot be started with the variable ${taken[0]?.[0]} in a sandbox on macOS; ` +
        "it was not started",
    );
  }
  return [ENV, ...taken.map(([name, value]) => `${name}=${value}`), ...argv];
}
