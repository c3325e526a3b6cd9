import { executableCandidates } from "../../process/executable.ts";
import type { ProgramLaunch } from "../../os/spawn.ts";
import { internalError } from "../../protocol/errors.ts";
import { type Disk, hostDisk } from "../disk.ts";
import type { BoundIntent, BoundNetwork } from "../policy/bound_policy.ts";
import type { LinuxAbilities } from "../linux/abilities.ts";
import { childOf, isWithin } from "../../os/native_path.ts";
import { checkCommand } from "../linux/check_command.ts";
import { type CommandToWrap, finalStage } from "../bubblewrap/final_stage.ts";
import { readableTools } from "../bubblewrap/prepare.ts";
import { seccompFilter, type SeccompFilterOptions } from "../seccomp/filter.ts";
import type { Architecture } from "../seccomp/profile.ts";
import type { ThreadRestrictions } from "./messages.ts";
import type { GroupPlan } from "./restricted_group.ts";
import { FileRight, governed, pathRule } from "./rights.ts";
import type { LandlockFiles, LandlockRule } from "./rules.ts";

/** What a plan for Landlock holds. */
export interface LandlockPlan {
  readonly files: LandlockFiles;
  readonly network: BoundNetwork;
  /** The kernel's version of the interface. */
  readonly version: number;
}

/** A command that a restricted thread is to start. */
export interface RestrictedCommand {
  /** The same for commands with the same plan. */
  readonly key: string;
  /** What holds for the thread. */
  readonly plan: () => GroupPlan;
  readonly launch: Omit<ProgramLaunch, "descriptors">;
}

/** Programs for the kernel: they take a while to build and are always the same. */
const filters = new Map<string, Uint8Array<ArrayBuffer>>();

/**
 * Makes ready what a command is started by.
 *
 * @throws {RpcError} -32603 if the command could not be started so
 */
export function prepareLandlock(
  { files: planned, network, version }: LandlockPlan,
  command: CommandToWrap,
  intent: BoundIntent,
  { architecture, supervision, tools }: LinuxAbilities,
): RestrictedCommand {
  // Only a supervisor lets a command open its own terminal by name and no other's.
  const files = command.terminal && supervision.kind === "usable"
    ? { ...planned, supervised: { ...planned.supervised, names: true } }
    : planned;
  if (architecture === undefined) throw internalError("Landlock cannot be used here");
  checkCommand(command, intent.files, hostDisk);
  const rules = files.rules.flatMap((rule) => spelledOut(rule, hostDisk));
  const hostNetwork = network.kind === "host";
  // bind(2), which makes them, is not handed over.
  const withheld = files.supervised.names ? FileRight.MakeSocket : 0;
  return {
    key: JSON.stringify([rules, files.executable, files.policy.grants, files.supervised, network]),
    plan: () => ({
      restrictions: {
        landlock: {
          governed: governed(hostNetwork, version),
          rules: rules.map((rule) => pathRule(rule, version, withheld)),
          ports: hostNetwork ? [] : files.policy.ports,
          executable: files.executable?.map((rule) => pathRule(rule, version)),
        },
        ...filterFor(files, hostNetwork, architecture),
      },
      policy: isSupervised(files) ? files.policy : undefined,
      architecture,
    }),
    launch: launchOf(command, readableTools(tools, intent)),
  };
}

/** A terminal is taken by a program before the command, which opens its session. */
function launchOf(
  command: CommandToWrap,
  tools: LinuxAbilities["tools"],
): RestrictedCommand["launch"] {
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

/** Devices are not files to be read: they are the host's disks and the user's other terminals. */
const DEVICES = "/dev";
const SHARED_MEMORY = "/dev/shm";

/** A rule holds for all that is below: what it is not to reach is walked around, name by name. */
function spelledOut(rule: LandlockRule, disk: Disk): LandlockRule[] {
  const { path, access } = rule;
  if (path !== "/" || access !== "read") return rulesAround(rule, disk);
  const below = disk.list("/").map(({ name, kind }) => ({ path: `/${name}`, kind }))
    .filter(({ path, kind }) => path !== DEVICES && kind !== "link");
  return [
    { path: "/", access: "list" },
    ...below.flatMap(({ path }) => rulesAround({ ...rule, path }, disk)),
    { path: SHARED_MEMORY, access: "read" },
  ];
}

/** More names than this beside an exception are not granted one by one: each costs a system call. */
const MAX_SIBLINGS = 4096;

function rulesAround(rule: LandlockRule, disk: Disk): LandlockRule[] {
  const { path, access, except = [], hidden = [] } = rule;
  if (hidden.includes(path)) return [];
  if (except.includes(path)) return path === DEVICES ? [] : [{ path, access: "read" }];
  const inside = [...except, ...hidden].filter((tree) => isWithin(tree, path));
  if (inside.length === 0) return [{ path, access }];
  const names = disk.list(path).filter(({ kind, foreign }) => kind !== "link" && !foreign);
  if (names.length > MAX_SIBLINGS) {
    throw internalError(
      `Landlock cannot keep '${inside[0]}' apart: there is too much in '${path}'; keep it in a ` +
        "directory of its own",
    );
  }
  const below = names.flatMap(({ name }) =>
    rulesAround({ ...rule, path: childOf(path, name) }, disk)
  );
  return [{ path, access: "list" }, ...below];
}

function isSupervised({ supervised }: LandlockFiles): boolean {
  return Object.values(supervised).includes(true);
}

function filterFor(
  files: LandlockFiles,
  hostNetwork: boolean,
  architecture: Architecture,
): Pick<ThreadRestrictions, "filter" | "supervised"> {
  const options: SeccompFilterOptions = {
    architecture,
    network: hostNetwork ? "enabled" : files.supervised.connections ? "proxied" : "restricted",
    sharedHost: true,
    fixedMetadata: files.fixedMetadata,
    supervised: files.supervised,
  };
  const key = JSON.stringify(options);
  const filter = filters.get(key) ?? seccompFilter(options);
  filters.set(key, filter);
  return { filter, supervised: isSupervised(files) };
}
