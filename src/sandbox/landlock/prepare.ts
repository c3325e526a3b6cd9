import { executableCandidates } from "../../process/executable.ts";
import { internalError } from "../../protocol/errors.ts";
import { type Disk, hostDisk } from "../disk.ts";
import type { BoundIntent, BoundNetwork } from "../policy/bound_policy.ts";
import { childOf, isWithin } from "../../os/native_path.ts";
import type { LinuxAbilities } from "../linux/abilities.ts";
import type { WrappedDescriptor } from "../bubblewrap/arguments.ts";
import { checkCommand } from "../linux/check_command.ts";
import type { CommandToWrap } from "../bubblewrap/final_stage.ts";
import { governed, RIGHT_TO_LIST, rightsOf } from "./rights.ts";
import type { LandlockRule } from "./rules.ts";
import { LauncherDescriptor, type LauncherPlan, type LauncherRule } from "./launcher_plan.ts";
import { ownProgram, refuseWritableProgram } from "../linux/own_program.ts";
import { seccompFilter, type SeccompFilterOptions } from "../seccomp/filter.ts";

/** A command that the launcher is to become. */
export interface LandlockedCommand {
  readonly argv: readonly string[];
  readonly descriptors: readonly WrappedDescriptor[];
  /** The launcher has the terminal, and becomes the command. */
  readonly takesTerminal: false;
  readonly portAccess: undefined;
  /** There is nothing to give back. */
  release(): void;
}

/** What a plan for Landlock holds. */
export interface LandlockPlan {
  readonly rules: readonly LandlockRule[];
  readonly fixedMetadata: boolean;
  readonly network: BoundNetwork;
}

/** Programs for the kernel, in base64: they take a while to build and are always the same. */
const filters = new Map<string, string>();

/**
 * Hands a command to the launcher, which is this program itself.
 *
 * @param outside directories from which no program is run unenclosed: a client's commands may have
 * written it
 * @throws {RpcError} -32603 if the command could not be started so
 */
export function prepareLandlock(
  { rules, fixedMetadata, network }: LandlockPlan,
  command: CommandToWrap,
  intent: BoundIntent,
  { architecture }: LinuxAbilities,
  outside: readonly string[],
): LandlockedCommand {
  if (architecture === undefined) throw internalError("Landlock cannot be used here");
  refuseWritableProgram(outside);
  checkCommand(command, intent.files, hostDisk);
  const { argv, env, cwd } = command;
  const plan: LauncherPlan = {
    governed: governed(network.kind === "host"),
    rules: rules.flatMap((rule) => launcherRules(rule, hostDisk)),
    seccomp: filterFor({
      architecture,
      network: network.kind === "host" ? "enabled" : "restricted",
      sharedHost: true,
      fixedMetadata,
    }),
    candidates: executableCandidates(argv[0] ?? "", env),
    argv: [command.arg0 ?? argv[0] ?? "", ...argv.slice(1)],
    env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    cwd,
  };
  const bytes = new TextEncoder().encode(JSON.stringify(plan));
  return {
    argv: [...ownProgram(), "sandbox-launcher"],
    descriptors: [
      { number: LauncherDescriptor.Plan, purpose: { kind: "data", bytes } },
      { number: LauncherDescriptor.Status, purpose: { kind: "status" } },
      { number: LauncherDescriptor.Gate, purpose: { kind: "gate" } },
    ],
    takesTerminal: false,
    portAccess: undefined,
    release: () => {},
  };
}

/** Devices are not files to be read: they are the host's disks and the user's other terminals. */
const DEVICES = "dev";
const SHARED_MEMORY = "/dev/shm";

function launcherRules(rule: LandlockRule, disk: Disk): LauncherRule[] {
  const { path, access, except = [], hidden = [] } = rule;
  if (except.length > 0) return rulesAround(path, rightsOf(access), { except, hidden }, disk);
  if (path !== "/" || access !== "read") {
    return rulesAround(path, rightsOf(access), { except, hidden }, disk);
  }
  const rights = rightsOf("read");
  const below = disk.list("/").filter(({ name, kind }) => name !== DEVICES && kind !== "link");
  return [
    { path: "/", rights: RIGHT_TO_LIST },
    ...below.flatMap(({ name }) => rulesAround(`/${name}`, rights, { except, hidden }, disk)),
    { path: SHARED_MEMORY, rights },
  ];
}

/** What a rule for a tree is not to reach. */
interface Exceptions {
  /** What can only be read. */
  readonly except: readonly string[];
  /** What cannot even be read. */
  readonly hidden: readonly string[];
}

/** More names than this beside an exception are not granted one by one: each costs a system call. */
const MAX_SIBLINGS = 4096;

/** A rule holds for all that is below: what is excepted is walked around, name by name. */
function rulesAround(
  path: string,
  rights: number,
  exceptions: Exceptions,
  disk: Disk,
): LauncherRule[] {
  const { except, hidden } = exceptions;
  if (hidden.includes(path)) return [];
  if (except.includes(path)) {
    return path === `/${DEVICES}` ? [] : [{ path, rights: rightsOf("read") }];
  }
  const inside = [...except, ...hidden].filter((tree) => isWithin(tree, path));
  if (inside.length === 0) return [{ path, rights }];
  const names = disk.list(path).filter(({ kind, foreign }) => kind !== "link" && !foreign);
  if (names.length > MAX_SIBLINGS) {
    throw internalError(
      `Landlock cannot keep '${inside[0]}' apart: there is too much in '${path}'; keep it in a ` +
        "directory of its own",
    );
  }
  const below = names.flatMap(({ name }) =>
    rulesAround(childOf(path, name), rights, exceptions, disk)
  );
  return [{ path, rights: RIGHT_TO_LIST }, ...below];
}

function filterFor(options: SeccompFilterOptions): string {
  const key = `${options.network} ${options.fixedMetadata}`;
  const filter = filters.get(key) ?? seccompFilter(options).toBase64();
  filters.set(key, filter);
  return filter;
}
