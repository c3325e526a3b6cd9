import type { Child, ChildCommand, ChildObserver, ChildSandbox } from "../process/child.ts";
import type { SandboxType } from "../protocol/sandbox.ts";
import type { BoundPolicy } from "./policy/bound_policy.ts";
import type { Egress } from "./policy/policy.ts";
import { internalError, type RpcError } from "../protocol/errors.ts";

/** The ways in which remex can sandbox a command. */
export type MechanismName = "bubblewrap" | "landlock" | "seatbelt";

/** The setting `sandboxMechanism`: the only mechanism that Linux may use, or the first that works. */
export type LinuxMechanism = "auto" | "bubblewrap" | "landlock";

/** A command to run inside a sandbox, in the operating system's terms. */
export interface CommandToSandbox {
  readonly argv: readonly string[];
  /** What the command sees as its name instead of `argv[0]`. */
  readonly arg0?: string | undefined;
  /** A native absolute path. */
  readonly cwd: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether the command runs on a terminal, which it then controls. */
  readonly terminal: boolean;
  /** Whose it is: the processes of others are out of its reach. @default one and the same */
  readonly owner?: object | undefined;
  /** The executor's proxy, which serves this command alone. @default none */
  readonly egress?: Egress | undefined;
}

/** Says that a mechanism cannot enforce a policy in full. */
export interface RefusedPlan {
  readonly kind: "refused";
  /** What is missing. */
  readonly reason: string;
  /** How to get it, if it can be had. */
  readonly fix: string | undefined;
  /** Whether the mechanism works on this machine, so that another policy could be enforced. */
  readonly mechanismWorks: boolean;
}

/** How one mechanism enforces a policy: each has more to say than this. */
export interface MechanismPlan {
  readonly kind: MechanismName;
}

/** What a sandboxed command is born with besides its sandbox: its streams, and the group that limits it. */
export type SandboxedBirth = Pick<ChildCommand, "stdio" | "group">;

/**
 * Why a sandbox could not be set up: the cause of the error that a client gets, where another try may
 * do. The disk and the mounts of a machine may have changed between the look at them and their use.
 */
export class SetUpFailure extends Error {
  override readonly name = "SetUpFailure";
}

/** A command that is ready to be started in its sandbox. Its files are held until it is released. */
export interface SandboxedCommand {
  readonly sandboxType: Exclude<SandboxType, "none">;
  /**
   * Starts the command, which releases itself when its last process has ended, or when it could not
   * be started.
   *
   * @param sandbox what the child tells about its sandbox
   * @throws {StartError} when the operating system refuses
   * @throws {RpcError} -32603 when the sandbox cannot be set up, because of a {@linkcode SetUpFailure}
   * if that may have been for something that passes
   */
  start(sandbox: ChildSandbox, birth: SandboxedBirth, observer: ChildObserver): Promise<Child>;
  /** Gives back what the command holds, if it is not going to be started. Once is enough. */
  release(): void;
}

/**
 * One way to sandbox a command. Each has a folder of its own.
 *
 * @typeParam Abilities what the mechanism finds on this machine
 * @typeParam Plan what the mechanism needs to know to sandbox a command
 */
export interface Mechanism<Abilities = unknown, Plan extends MechanismPlan = MechanismPlan> {
  readonly name: MechanismName;
  /**
   * Finds out what this machine offers.
   *
   * @param untrusted directories in which commands may have put programs: none is run from there
   */
  probe(untrusted: readonly string[]): Promise<Abilities>;
  /** Begins to make what the policy is going to need and takes a while, whatever is found out. */
  anticipate?(policy: BoundPolicy): void;
  /** Plans how to enforce a policy in full. It reads and changes nothing. */
  plan(policy: BoundPolicy, abilities: Abilities): Plan | RefusedPlan;
  /**
   * Makes a command ready to be started as planned.
   *
   * @throws {RpcError} -32603 if the command could not be started in full accordance with the plan
   */
  wrap(plan: Plan, command: CommandToSandbox): SandboxedCommand | Promise<SandboxedCommand>;
}

/** Says what is missing where a mechanism does not work at all. */
export function unusable(reason: string, fix?: string): RefusedPlan {
  return { kind: "refused", reason, fix, mechanismWorks: false };
}

/** Says what a mechanism that works cannot enforce. */
export function unenforceable(reason: string, fix?: string): RefusedPlan {
  return { kind: "refused", reason, fix, mechanismWorks: true };
}

/** Why a sandbox cannot be enforced on this machine: the cause of the error that a client gets. */
export class SandboxUnavailable extends Error {
  override readonly name = "SandboxUnavailable";
  /** What would help, if anything is known to. */
  readonly fix: string | undefined;

  constructor(reason: string, fix: string | undefined) {
    super(reason);
    this.fix = fix;
  }
}

/** The refusal of a sandbox that cannot be enforced here (-32603). */
export function cannotEnforce(reason: string, fix?: string): RpcError {
  const how = fix === undefined ? "" : ` (${fix})`;
  return internalError(
    `the sandbox cannot be enforced here: ${reason}${how}; nothing was started`,
    new SandboxUnavailable(reason, fix),
  );
}
