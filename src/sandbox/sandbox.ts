import { waitForFileSystems } from "../os/local_file_systems.ts";
import type { Child, ChildCommand, ChildObserver, ChildSandbox } from "../process/child.ts";
import { startingPaths } from "../process/executable.ts";
import { refuseInexpressible, startChild } from "../process/start_child.ts";
import { log } from "../log/log.ts";
import { RpcError } from "../protocol/errors.ts";
import { hostConvention } from "../protocol/path_uri.ts";
import type { PlaceholderObserver } from "./bubblewrap/placeholders.ts";
import {
  cannotEnforce,
  type CommandToSandbox,
  type LinuxMechanism,
  type Mechanism,
  type MechanismName,
  type MechanismPlan,
  type RefusedPlan,
  type SandboxedCommand,
  SetUpFailure,
  unusable,
} from "./mechanism.ts";
import { hostDisk, RememberingDisk } from "./disk.ts";
import { type HostMechanisms, hostMechanisms } from "./host.ts";
import { bindPolicy } from "./policy/bind.ts";
import { type BoundPolicy, untrustedTrees } from "./policy/bound_policy.ts";
import { enforceDirectory } from "./policy/bounds.ts";
import { denyFound } from "./policy/denied_glob.ts";
import { certificateFiles, namedPaths } from "./policy/entries.ts";
import { type Policy, requiresSandbox } from "./policy/policy.ts";
import { GitIndexCache } from "./policy/protected_paths.ts";
import type { SandboxType } from "../protocol/sandbox.ts";

/** How often a sandbox is set up before it is given up, where its set-up may fail for what passes. */
const MAX_ATTEMPTS = 4;

/** How a policy is enforced on this machine, or why it cannot be. */
export type SandboxPlan =
  /** There is nothing to enforce. */
  | { readonly kind: "none" }
  | PlannedSandbox
  | RefusedPlan;

/** A plan together with the mechanism that made it. */
export interface PlannedSandbox {
  readonly kind: MechanismName;
  /** @throws {RpcError} -32603 if the command could not be started as planned */
  wrap(command: CommandToSandbox): SandboxedCommand | Promise<SandboxedCommand>;
}

/** What whoever makes a {@linkcode Sandbox} decides. */
export interface SandboxOptions {
  /** The only mechanism to be used on Linux. @default auto */
  readonly mechanism?: LinuxMechanism | undefined;
  /** Told what has to be removed from the disk if this program is killed. @default nobody */
  readonly placeholderObserver?: PlaceholderObserver | undefined;
  /** What there is to choose from. @default the mechanisms of this machine's system */
  readonly host?: HostMechanisms | undefined;
}

/**
 * Sandboxes the commands of one executor. It asks the mechanisms of this machine in order, and owns
 * all that they remember between commands.
 *
 * Dispose of it when no command runs any more.
 */
export class Sandbox implements AsyncDisposable {
  /** What has been read of git's indexes, for whoever binds policies. */
  readonly gitIndexes: GitIndexCache = new GitIndexCache();
  readonly #mechanism: LinuxMechanism;
  readonly #placeholderObserver: PlaceholderObserver | undefined;
  #host: Promise<HostMechanisms> | undefined;

  constructor({ mechanism = "auto", placeholderObserver, host }: SandboxOptions = {}) {
    this.#mechanism = mechanism;
    this.#placeholderObserver = placeholderObserver;
    this.#host = host && Promise.resolve(host);
  }

  /**
   * Starts a command as its policy says, or not at all.
   *
   * @param home the home directory of the user that commands run as
   * @throws {RpcError} -32602 or -32603 when the policy cannot be understood or enforced here
   * @throws {StartError} when the operating system refuses
   */
  async start(
    policy: Policy,
    home: string | undefined,
    command: ChildCommand,
    observer: ChildObserver,
  ): Promise<Child> {
    refuseInexpressible(command);
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#tryStart(policy, home, command, observer);
      } catch (error) {
        if (attempt === MAX_ATTEMPTS || !isSetUpFailure(error)) throw error;
        log("info", "a sandbox is set up anew", { reason: error.cause.message });
      }
    }
  }

  async #tryStart(
    policy: Policy,
    home: string | undefined,
    command: ChildCommand,
    observer: ChildObserver,
  ): Promise<Child> {
    const { stdio } = command;
    const { egress, owner } = policy;
    const sandboxed = await this.prepare(
      policy,
      { ...command, terminal: stdio.kind === "pty", egress, owner },
      home,
    );
    if (sandboxed === undefined) return await startChild(command, observer);
    return await sandboxed.start(childSandbox(sandboxed, policy), command, observer);
  }

  /**
   * Makes a command ready to be started as its policy says.
   *
   * @param home the home directory of the user that commands run as
   * @returns undefined if there is nothing to enforce
   * @throws {RpcError} -32602 if the policy cannot be understood here, -32603 if nothing on this
   * machine enforces it in full: the command must then not be started at all
   */
  async prepare(
    policy: Policy,
    command: CommandToSandbox,
    home: string | undefined,
  ): Promise<SandboxedCommand | undefined> {
    const host = await this.#mechanisms();
    if (host.mechanisms.length === 0 && requiresSandbox(policy)) {
      throw cannotEnforce(noMechanism(host).reason);
    }
    const facts = {
      convention: hostConvention(),
      home,
      temporaryDirectory: command.env.TMPDIR,
      certificateFiles: policy.managedNetwork === undefined ? [] : certificateFiles(command.env),
    };
    await waitForFileSystems([...namedPaths(policy, facts), ...startingPaths(command)]);
    const asked = bindPolicy(policy, facts, new RememberingDisk(hostDisk), this.gitIndexes);
    if (policy.bounds !== undefined) enforceDirectory(policy.bounds, command.cwd, hostDisk);
    if (isUnrestricted(asked)) return undefined;
    const { files } = asked;
    const bound = {
      ...asked,
      files: denyFound(files, hostDisk),
      deniedLater: files.kind === "all" ? [] : files.deniedGlobs,
    };
    const plan = await this.plan(bound, policy.sandbox?.useLegacyLandlock ?? false);
    switch (plan.kind) {
      case "none":
        return undefined;
      case "refused":
        throw cannotEnforce(plan.reason, plan.fix);
      default:
        return await plan.wrap(command);
    }
  }

  /**
   * Chooses the mechanism that enforces a policy in full. Less than the policy says is never enforced.
   *
   * @param landlockFirst whether Landlock is tried before bubblewrap
   */
  async plan(policy: BoundPolicy, landlockFirst: boolean): Promise<SandboxPlan> {
    if (isUnrestricted(policy)) return { kind: "none" };
    const host = await this.#mechanisms();
    const refusals = new Map<MechanismName, RefusedPlan>();
    for (const mechanism of this.#inOrder(host, landlockFirst)) {
      const plan = await planBy(mechanism, policy);
      if (plan.kind !== "refused") return plan;
      refusals.set(mechanism.name, plan);
    }
    return refusals.size === 0 ? noMechanism(host) : joinRefusals(host, refusals);
  }

  /** Gives back what is left on the disk and ends the threads that start commands. */
  async [Symbol.asyncDispose](): Promise<void> {
    const host = await this.#host;
    for (const resource of host?.resources ?? []) resource[Symbol.dispose]();
  }

  #mechanisms(): Promise<HostMechanisms> {
    return this.#host ??= hostMechanisms(this.#placeholderObserver);
  }

  #inOrder({ os, mechanisms }: HostMechanisms, landlockFirst: boolean): readonly Mechanism[] {
    if (os !== "linux") return mechanisms;
    if (this.#mechanism !== "auto") {
      return mechanisms.filter(({ name }) => name === this.#mechanism);
    }
    return landlockFirst ? mechanisms.toReversed() : mechanisms;
  }
}

function isSetUpFailure(error: unknown): error is RpcError & { readonly cause: SetUpFailure } {
  return error instanceof RpcError && error.cause instanceof SetUpFailure;
}

async function planBy<Abilities, Plan extends MechanismPlan>(
  mechanism: Mechanism<Abilities, Plan>,
  policy: BoundPolicy,
): Promise<PlannedSandbox | RefusedPlan> {
  mechanism.anticipate?.(policy);
  const plan = mechanism.plan(policy, await mechanism.probe(untrustedTrees(policy)));
  if (isRefused(plan)) return plan;
  return { kind: plan.kind, wrap: (command) => mechanism.wrap(plan, command) };
}

function isRefused(plan: MechanismPlan | RefusedPlan): plan is RefusedPlan {
  return plan.kind === "refused";
}

/** Where the best mechanism works, it is the policy that has to change, whatever others cannot do. */
function joinRefusals(
  { mechanisms: [best] }: HostMechanisms,
  refusals: ReadonlyMap<MechanismName, RefusedPlan>,
): RefusedPlan {
  const ofBest = best && refusals.get(best.name);
  if (ofBest?.mechanismWorks) return ofBest;
  const all = [...refusals.values()];
  const reasons = new Set(all.map(({ reason }) => reason));
  return unusable([...reasons].join("; "), all.find(({ fix }) => fix !== undefined)?.fix);
}

function noMechanism({ name }: HostMechanisms): RefusedPlan {
  return unusable(`commands cannot be sandboxed on ${name}`);
}

function isUnrestricted({ files, network }: BoundPolicy): boolean {
  return files.kind === "all" && network.kind === "host";
}

function childSandbox({ sandboxType }: SandboxedCommand, { egress }: Policy): ChildSandbox {
  return {
    sandboxType,
    isDenial: (exitCode, output) =>
      exitCode !== 0 && egress !== undefined && egress.report.denied.length > 0 ||
      isSandboxDenial({ sandboxType, exitCode, output }),
    get network() {
      return egress?.report;
    },
  };
}

/** How a sandboxed command ended. */
export interface CommandEnd {
  readonly sandboxType: SandboxType;
  readonly exitCode: number;
  /** What it wrote, as far as it has been kept. */
  readonly output: string;
}

/** Words by which programs report that something was refused. */
const DENIAL_WORDS =
  /operation not permitted|permission denied|read-only file system|seccomp|sandbox|landlock|failed to write file/i;

/** Wrong usage, not executable, not found: failures of the command's own, as shells report them. */
const ORDINARY_FAILURES = new Set([2, 126, 127]);

/** The exit code of a command that a filter of system calls killed: 128 + SIGSYS. */
const KILLED_BY_SECCOMP = 128 + 31;

/**
 * Whether a command most likely failed because it was sandboxed.
 *
 * No system says so: the words that the command wrote and its exit code have to do.
 */
export function isSandboxDenial({ sandboxType, exitCode, output }: CommandEnd): boolean {
  if (sandboxType === "none" || exitCode === 0) return false;
  if (DENIAL_WORDS.test(output)) return true;
  if (ORDINARY_FAILURES.has(exitCode)) return false;
  return sandboxType === "linuxSeccomp" && exitCode === KILLED_BY_SECCOMP;
}
