import { readFileSync, statSync } from "node:fs";
import { addressOf } from "../../os/address.ts";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { openMemoryFile } from "../../os/pipes.ts";
import { readMemory } from "../../os/notifications.ts";
import { hasUserNotification, landlockVersion } from "../../os/thread_restrictions.ts";
import { runChild, type RunResult } from "../../process/start_child.ts";
import { log } from "../../log/log.ts";
import { RetriedProbe } from "../retried_probe.ts";
import { NUMBERING } from "../bubblewrap/arguments.ts";
import {
  diagnoseBubblewrap,
  type NamespaceSettings,
  NOT_INSTALLED,
} from "../bubblewrap/diagnose.ts";
import { findHelperTools, findPrograms, type FoundProgram, isInside } from "./find_programs.ts";
import type { HelperTools } from "../bubblewrap/final_stage.ts";
import { kernelTrees } from "../../os/mount_table.ts";

import type { Architecture } from "../seccomp/profile.ts";

/** What bubblewrap can do here. */
export type BubblewrapAbility =
  | {
    readonly kind: "usable";
    /** Its absolute path, links resolved. */
    readonly path: string;
    /** Whether a fresh /proc can be mounted. */
    readonly freshProc: boolean;
    /** Whether it can have processes numbered from elsewhere than 1. */
    readonly numbersProcesses: boolean;
    /** Whether it can give the command another name (since 0.9). */
    readonly canSetArg0: boolean;
  }
  | { readonly kind: "unusable"; readonly reason: string; readonly fix: string };

/** Whether calls can be handed over to a supervisor (seccomp_unotify(2)). */
export type SupervisionAbility =
  | { readonly kind: "usable" }
  | { readonly kind: "unusable"; readonly reason: string; readonly fix: string };

/** How this program gets at the network namespace of a sandbox. */
export type NamespaceEntry =
  /** By itself: it has CAP_SYS_ADMIN. */
  | { readonly kind: "privileged" }
  /** By a program that only the kernel's own rules for user namespaces let in. */
  | {
    readonly kind: "program";
    /** The absolute path of nsenter(1), links resolved. */
    readonly nsenter: string;
  }
  | { readonly kind: "none" };

/** What a Linux machine offers to sandbox commands with. */
export interface LinuxAbilities {
  readonly architecture: Architecture;
  readonly bubblewrap: BubblewrapAbility;
  /** The version of the Landlock interface, 0 if there is none (landlock(7)). */
  readonly landlock: number;
  readonly supervision: SupervisionAbility;
  /** Whether the kernel filters system calls (seccomp(2)). */
  readonly seccomp: boolean;
  readonly namespaceEntry: NamespaceEntry;
  readonly tools: HelperTools;
  /** Where file systems of the kernel are mounted, `/proc` and `/sys` among them: see `kernelTrees`. */
  readonly kernelTrees: readonly string[];
}

const S_ISUID = 0o4000;
/** Its mounts are made by another of its processes: when they are complete cannot be told. */
const SET_USER_ID = {
  kind: "unusable",
  reason: "bubblewrap is installed set-user-ID, and what it mounts could not be checked",
  fix: "chmod u-s it, and allow user namespaces",
} as const;

const CAP_SYS_ADMIN = 21n;

/**
 * Finds out what this machine offers. What cannot change is remembered; a refusal may have been for
 * want of processes, descriptors or memory, so it is looked at again.
 */
export class LinuxHost {
  /** By the path of bubblewrap. */
  readonly #trials = new Map<string, RetriedProbe<BubblewrapAbility>>();
  #bubblewraps: readonly FoundProgram[] = [];
  #nsenters: readonly FoundProgram[] | undefined;
  #privileged: boolean | undefined;
  #tools: HelperTools | undefined;
  #landlock: number | undefined;
  #supervision: SupervisionAbility | undefined;
  #seccomp: boolean | undefined;

  /** @param untrusted directories in which commands may have put programs: none is run from there */
  async probe(untrusted: readonly string[]): Promise<LinuxAbilities> {
    return {
      architecture: Deno.build.arch,
      bubblewrap: await this.#probeBubblewrap(untrusted),
      landlock: this.#landlock ??= landlockVersion(),
      supervision: this.#supervision ??= probeSupervision(),
      seccomp: (this.#seccomp ??= hasSeccomp()) ?? false,
      namespaceEntry: this.#namespaceEntry(untrusted),
      tools: this.#tools ??= findHelperTools(),
      kernelTrees: kernelTrees(),
    };
  }

  #probeBubblewrap(untrusted: readonly string[]): Promise<BubblewrapAbility> {
    if (this.#bubblewraps.length === 0) {
      this.#bubblewraps = findPrograms("bwrap", Deno.env.get("PATH") ?? "");
    }
    const safe = firstOutside(this.#bubblewraps, untrusted);
    if (safe === undefined) return Promise.resolve({ kind: "unusable", ...NOT_INSTALLED });
    const trial = this.#trials.get(safe.target) ?? trialOf(safe.target);
    this.#trials.set(safe.target, trial);
    return trial.answer();
  }

  #namespaceEntry(untrusted: readonly string[]): NamespaceEntry {
    this.#privileged ??= hasCapability(CAP_SYS_ADMIN);
    if (this.#privileged) return { kind: "privileged" };
    this.#nsenters ??= findPrograms("nsenter", Deno.env.get("PATH") ?? "");
    const safe = firstOutside(this.#nsenters, untrusted);
    return safe === undefined ? { kind: "none" } : { kind: "program", nsenter: safe.target };
  }
}

function firstOutside(
  programs: readonly FoundProgram[],
  untrusted: readonly string[],
): FoundProgram | undefined {
  return programs.find((found) => !untrusted.some((tree) => isInside(found, tree)));
}

function trialOf(path: string): RetriedProbe<BubblewrapAbility> {
  return new RetriedProbe({
    ask: () => tryBubblewrap(path),
    isFinal: (ability) => ability.kind === "usable" && ability.freshProc,
    told: logAbility,
  });
}

/** Commands are sandboxed by another mechanism from now on, or refused. */
function logAbility(ability: BubblewrapAbility, before: BubblewrapAbility | undefined): void {
  if (ability.kind === "unusable") {
    if (before === undefined) {
      const { reason } = ability;
      log("warn", "bubblewrap cannot be used; it is tried again later", { reason });
    }
  } else if (before !== undefined && before.kind === "unusable") {
    log("info", "bubblewrap can be used now");
  } else if (before !== undefined && ability.freshProc) {
    log("info", "bubblewrap can mount a fresh /proc now");
  }
}

/** What is tried, the best first: who has a fresh /proc refused may still get along without. */
const TRIALS = [
  { freshProc: true, numbersProcesses: true },
  { freshProc: true, numbersProcesses: false },
  { freshProc: false, numbersProcesses: false },
] as const;

async function tryBubblewrap(path: string): Promise<BubblewrapAbility> {
  if (Deno.uid() !== 0 && (statSync(path).mode & S_ISUID) !== 0) return SET_USER_ID;
  let complaint = "";
  for (const trial of TRIALS) {
    const { exitCode, stdout, stderr } = await runTrial(path, trial);
    if (exitCode === 0) {
      return { kind: "usable", path, ...trial, canSetArg0: stdout.includes("--argv0 ") };
    }
    // What it says of the numbers would be no reason.
    if (!trial.numbersProcesses) complaint ||= stderr;
  }
  return { kind: "unusable", ...diagnoseBubblewrap(complaint, namespaceSettings()) };
}

/** Any that every kernel takes. */
const TRIAL_NUMBER = new TextEncoder().encode("300");

/** Runs bubblewrap inside of itself, to print its options: two questions for the cost of one. */
async function runTrial(
  path: string,
  { freshProc, numbersProcesses }: typeof TRIALS[number],
): Promise<RunResult> {
  const isolation = ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-net"];
  const proc = freshProc ? ["--proc", "/proc"] : [];
  const numbering = numbersProcesses ? NUMBERING.options : [];
  const view = ["--ro-bind", "/", "/", "--dev", "/dev", ...proc, ...numbering];
  const argv = [...isolation, "--cap-drop", "ALL", "--die-with-parent", ...view, "--", path];
  let number: Descriptor | undefined;
  try {
    number = openMemoryFile(TRIAL_NUMBER);
    const descriptors = [{ number: NUMBERING.descriptor, source: number }];
    return await runChild({ argv: [path, ...argv, "--help"], cwd: "/", env: {}, descriptors });
  } catch (error) {
    return { exitCode: 1, stdout: "", stderr: error instanceof Error ? error.message : "" };
  } finally {
    if (number !== undefined) closeDescriptor(number);
  }
}

/** Whether this program has a capability in effect (proc_pid_status(5)), if it can be told. */
function hasCapability(capability: bigint): boolean | undefined {
  const status = readFile("/proc/self/status");
  if (status === undefined) return undefined;
  const [, effective = "0"] = /^CapEff:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  return (BigInt(`0x${effective}`) >> capability & 1n) === 1n;
}

/** Whether calls can be handed over, and their arguments be read by another thread. */
function probeSupervision(): SupervisionAbility {
  if (!hasUserNotification()) {
    return {
      kind: "unusable",
      reason: "this kernel cannot hand system calls over to a supervisor (seccomp_unotify)",
      fix: "Linux 5.19 or newer with CONFIG_SECCOMP_FILTER",
    };
  }
  // ptrace_scope in the kernel's documentation of Yama: 1 leaves one's own descendants.
  const scope = Number(readFile("/proc/sys/kernel/yama/ptrace_scope") ?? 0);
  if (scope <= 1) {
    const own = new Uint8Array(new ArrayBuffer(1));
    if (readMemory(Deno.pid, addressOf(own), own) === own.length) {
      return { kind: "usable" };
    }
    return {
      kind: "unusable",
      reason:
        "the arguments of commands' system calls cannot be read (process_vm_readv is refused)",
      fix: "in a container: a seccomp profile that allows process_vm_readv, as Docker's own does",
    };
  }
  return {
    kind: "unusable",
    reason:
      `kernel.yama.ptrace_scope is ${scope}, so that the arguments of commands' system calls cannot be read`,
    fix: "`sysctl -w kernel.yama.ptrace_scope=1`, and the same in /etc/sysctl.d to keep it",
  };
}

/** There since Linux 4.14 where the kernel can filter (seccomp(2)). */
function hasSeccomp(): boolean | undefined {
  return readFile("/proc/sys/kernel/seccomp/actions_avail")?.includes("errno");
}

/** The kernel's settings about user namespaces. */
export function namespaceSettings(): NamespaceSettings {
  const flag = (name: string) => {
    const value = readFile(`/proc/sys/kernel/${name}`);
    return value === undefined ? undefined : value.trim() !== "0";
  };
  const max = readFile("/proc/sys/user/max_user_namespaces");
  return {
    appArmorRestricted: flag("apparmor_restrict_unprivileged_userns"),
    unprivilegedAllowed: flag("unprivileged_userns_clone"),
    maxUserNamespaces: max === undefined ? undefined : Number(max),
  };
}

function readFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
