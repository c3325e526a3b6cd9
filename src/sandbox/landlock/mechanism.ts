import { fileIdentityAt } from "../../os/file_status.ts";
import type { ProgramLaunch } from "../../os/spawn.ts";
import type { Child, ChildObserver, ChildSandbox } from "../../process/child.ts";
import { executableCandidates } from "../../process/executable.ts";
import { startLinuxChildBy } from "../../process/linux/start.ts";
import { internalError } from "../../protocol/errors.ts";
import { checkCommand } from "../check_command.ts";
import { hostDisk } from "../disk.ts";
import { finalStage, readableTools } from "../linux/final_stage.ts";
import type { LinuxAbilities, LinuxHost } from "../linux/host.ts";
import {
  type CommandToSandbox,
  type Mechanism,
  type RefusedPlan,
  type SandboxedBirth,
  type SandboxedCommand,
  unenforceable,
  unusable,
} from "../mechanism.ts";
import { ProxyConnections } from "../network/proxy_connections.ts";
import type { BoundNetwork, BoundPolicy } from "../policy/bound_policy.ts";
import type { GroupPool } from "../restricted_threads/group_pool.ts";
import type { ThreadRestrictions } from "../restricted_threads/messages.ts";
import type { GroupPlan } from "../restricted_threads/restricted_group.ts";
import { SandboxedChild } from "../sandboxed_child.ts";
import type { SeccompFilters } from "../seccomp/filter.ts";
import { EXECUTION, FileRight, governed, pathRule, SINCE } from "./rights.ts";
import { type LandlockFiles, landlockFiles, spellOut } from "./rules.ts";

const UNLIMITED = "commands that Landlock sandboxes cannot be limited in memory and processes " +
  "(commandLimits), nothing was started; bubblewrap can (sandboxMechanism)";

/** How Landlock enforces a policy. */
export interface LandlockPlan {
  readonly kind: "landlock";
  readonly policy: BoundPolicy;
  readonly files: LandlockFiles;
  readonly abilities: LinuxAbilities;
}

/**
 * Sandboxes commands by starting them on a thread that has restricted itself (landlock(7)), with a
 * supervisor for what Landlock cannot express.
 */
export class Landlock implements Mechanism<LinuxAbilities, LandlockPlan> {
  readonly name = "landlock";
  readonly #host: Pick<LinuxHost, "probe">;
  readonly #filters: SeccompFilters;
  readonly #groups: GroupPool;

  constructor(
    host: Pick<LinuxHost, "probe">,
    filters: SeccompFilters,
    groups: GroupPool,
  ) {
    this.#host = host;
    this.#filters = filters;
    this.#groups = groups;
  }

  probe(untrusted: readonly string[]): Promise<LinuxAbilities> {
    return this.#host.probe(untrusted);
  }

  plan(policy: BoundPolicy, abilities: LinuxAbilities): LandlockPlan | RefusedPlan {
    const { landlock, supervision, kernelTrees, seccomp } = abilities;
    if (!seccomp) return unusable("this kernel cannot filter system calls (seccomp)");
    if (landlock === 0) return unusable("this kernel has no Landlock");
    if (landlock < SINCE.moving) {
      return unusable(
        "this kernel's Landlock does not let files be moved between directories (Linux 5.19 does)",
        "Linux 5.19 or newer",
      );
    }
    const { network } = policy;
    if (network.kind === "loopback" && network.localBinding) {
      return unenforceable(
        "Landlock tells ports apart, but not the hosts that they are listened on",
      );
    }
    const planned = landlockFiles(policy.files, landlock, kernelTrees);
    if (planned.kind === "refused") return unenforceable(planned.reason);
    const files = withConnections(planned, network);
    if (supervision.kind === "unusable" && isSupervised(files)) {
      return unenforceable(supervision.reason, supervision.fix);
    }
    return { kind: "landlock", policy, files, abilities };
  }

  wrap({ policy, files: planned, abilities }: LandlockPlan, command: CommandToSandbox) {
    const { supervision, tools, landlock: version } = abilities;
    const { network } = policy;
    // Only a supervisor lets a command open its own terminal by name and no other's.
    const files = command.terminal && supervision.kind === "usable"
      ? { ...planned, supervised: { ...planned.supervised, names: true } }
      : planned;
    checkCommand(command, policy.files, hostDisk);
    const rules = files.rules.flatMap((rule) => spellOut(rule, hostDisk));
    const hostNetwork = network.kind === "host";
    // bind(2), which makes them, is not handed over.
    const withheld = files.supervised.names ? FileRight.MakeSocket : 0;
    const { egress } = command;
    return new LandlockCommand(this.#groups, {
      owner: command.owner ?? this,
      connections: egress && new ProxyConnections(egress),
      paths: [...rules, ...files.executable ?? []].map(({ path }) => path),
      key: JSON.stringify([
        rules,
        files.executable,
        files.policy.grants,
        files.supervised,
        network,
        egress?.rules,
      ]),
      plan: () => ({
        restrictions: {
          landlock: {
            governed: governed(hostNetwork, version),
            rules: rules.map((rule) => pathRule(rule, version, withheld)),
            ports: hostNetwork ? [] : files.policy.ports,
            besides: files.executable && {
              governed: EXECUTION,
              rules: files.executable.map((rule) => pathRule(rule, version)),
            },
          },
          ...this.#filterFor(files, hostNetwork, abilities),
        },
        supervised: isSupervised(files) ? { kind: "alike", policy: files.policy } : undefined,
        architecture: abilities.architecture,
      }),
      launch: launchOf(command, readableTools(tools, policy)),
    });
  }

  #filterFor(
    { supervised, fixedMetadata }: LandlockFiles,
    hostNetwork: boolean,
    { architecture }: LinuxAbilities,
  ): Pick<ThreadRestrictions, "filter" | "supervised"> {
    const filter = this.#filters.get({
      architecture,
      network: hostNetwork ? "enabled" : supervised.connections ? "proxied" : "restricted",
      sharedHost: true,
      fixedMetadata,
      supervised,
    });
    return { filter, supervised: isSupervised({ supervised }) };
  }
}

/** Connections to named ports are made by the supervisor. */
function withConnections(files: LandlockFiles, network: BoundNetwork): LandlockFiles {
  if (network.kind !== "loopback") return files;
  return {
    ...files,
    supervised: { ...files.supervised, connections: true },
    policy: {
      ...files.policy,
      ports: network.ports,
      ...network.egress === true && { egress: true },
    },
  };
}

function isSupervised({ supervised }: Pick<LandlockFiles, "supervised">): boolean {
  return Object.values(supervised).includes(true);
}

/** What a restricted thread starts. */
interface RestrictedStart {
  readonly owner: object;
  /** Serves the command's connections to the executor's proxy, if it has one. */
  readonly connections: ProxyConnections | undefined;
  /** The same for commands with the same plan. */
  readonly key: string;
  /** What the plan has rules for. */
  readonly paths: readonly string[];
  /** What holds for the thread. */
  readonly plan: () => GroupPlan;
  readonly launch: Omit<ProgramLaunch, "descriptors">;
}

/** A command that a restricted thread starts: what holds for the thread holds for the command. */
class LandlockCommand implements SandboxedCommand {
  readonly sandboxType = "linuxSeccomp";
  readonly #groups: GroupPool;
  readonly #start: RestrictedStart;

  constructor(groups: GroupPool, start: RestrictedStart) {
    this.#groups = groups;
    this.#start = start;
  }

  async start(
    sandbox: ChildSandbox,
    { stdio, group: limits }: SandboxedBirth,
    observer: ChildObserver,
  ): Promise<Child> {
    // The thread that the command would be born on is not in the group, and may not enter it.
    if (limits !== undefined) throw internalError(UNLIMITED);
    const { owner, connections, key, paths, plan, launch } = this.#start;
    // The kernel's rules are about what was at the paths when they were made, wherever that is by now.
    // They hold it, so that nothing else gets its number.
    const current = JSON.stringify([key, ...paths.map(fileIdentityAt)]);
    return await this.#groups.use(owner, current, plan, async (group) => {
      const child = await startLinuxChildBy(group, launch, stdio, observer);
      group.watch(child.pid, () => child.kill());
      if (connections !== undefined) group.serve(child.pid, (one) => connections.take(one));
      return new SandboxedChild(child, sandbox);
    });
  }

  release(): void {
    // It holds nothing: threads are the pool's.
  }
}

/** A terminal is taken by a program before the command, which opens its session. */
function launchOf(
  command: CommandToSandbox,
  tools: LinuxAbilities["tools"],
): RestrictedStart["launch"] {
  const { cwd, env, terminal } = command;
  if (terminal && tools.setsid === undefined) {
    throw internalError(
      "the sandbox cannot be enforced here: a command on a terminal needs setsid(1) inside of it; " +
        "nothing was started",
    );
  }
  // PWD stays as it is, whatever it says.
  const stage = finalStage(command, { pwd: env.PWD, canSetArg0: true }, tools);
  if (stage.kind === "refused") throw internalError(`${stage.reason}; it was not started`);
  const [name = "", ...rest] = stage.argv;
  const whole = { ...env, ...stage.env };
  return {
    candidates: executableCandidates(name, env),
    argv: [stage.arg0 ?? name, ...rest],
    cwd,
    env: whole,
    sharesSession: terminal,
  };
}
