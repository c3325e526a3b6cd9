import { CAP_SYS_ADMIN } from "../../os/constants.ts";
import { accessSync, constants, readFileSync, realpathSync, statSync } from "node:fs";
import { addressOf } from "../../os/address.ts";
import { readMemory } from "../../os/notifications.ts";
import { hasUserNotification, landlockVersion } from "../../os/thread_restrictions.ts";
import type { RetriedProbe } from "../retried_probe.ts";
import { type BubblewrapAbility, bubblewrapTrial, NOT_INSTALLED } from "./bubblewrap_trial.ts";
import type { HelperTools } from "./final_stage.ts";
import { KernelTrees } from "../../os/mount_table.ts";
import type { Architecture } from "../seccomp/profile.ts";
import { isAbsolute, join } from "@std/path/posix";
import { isWithin } from "../../os/native_path.ts";

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

const HARMLESS_DEVICE = "/dev/null";

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
  /** Whether devices that everybody uses belong to this user, who could change their modes and owners. */
  readonly ownsDevices: boolean;
  /** Where file systems of the kernel are mounted, `/proc` and `/sys` among them: see `KernelTrees`. */
  readonly kernelTrees: readonly string[];
}

/**
 * Finds out what this machine offers. What cannot change is remembered; a refusal may have been for
 * want of processes, descriptors or memory, so it is looked at again.
 */
export class LinuxHost implements Disposable {
  /** By the path of bubblewrap. */
  readonly #trials = new Map<string, RetriedProbe<BubblewrapAbility>>();
  readonly #kernelTrees = new KernelTrees();
  #bubblewraps: readonly FoundProgram[] = [];
  #nsenters: readonly FoundProgram[] | undefined;
  #privileged: boolean | undefined;
  #tools: HelperTools | undefined;
  #landlock: number | undefined;
  #supervision: SupervisionAbility | undefined;
  #seccomp: boolean | undefined;
  #ownsDevices: boolean | undefined;

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
      ownsDevices: this.#ownsDevices ??= Deno.statSync(HARMLESS_DEVICE).uid === Deno.uid(),
      kernelTrees: this.#kernelTrees.get(),
    };
  }

  [Symbol.dispose](): void {
    this.#kernelTrees[Symbol.dispose]();
  }

  #probeBubblewrap(untrusted: readonly string[]): Promise<BubblewrapAbility> {
    if (this.#bubblewraps.length === 0) {
      this.#bubblewraps = findPrograms("bwrap", Deno.env.get("PATH") ?? "");
    }
    const safe = firstOutside(this.#bubblewraps, untrusted);
    if (safe === undefined) return Promise.resolve({ kind: "unusable", ...NOT_INSTALLED });
    const trial = this.#trials.get(safe.target) ?? bubblewrapTrial(safe.target);
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

function readFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Directories of the system's own programs, in which helpers are looked for. */
const SYSTEM_DIRECTORIES = ["/usr/bin", "/bin", "/run/current-system/sw/bin"];

/** An executable file, by the name it was found under and by what that leads to. */
interface FoundProgram {
  readonly file: string;
  readonly target: string;
}

/**
 * Finds the executable files of a name in the directories of PATH, first to last. Relative
 * directories are passed over: they are somewhere else each time.
 */
export function findPrograms(name: string, path: string): FoundProgram[] {
  return path.split(":").filter(isAbsolute).flatMap((directory) => {
    const file = join(directory, name);
    const target = executableAt(file);
    return target === undefined ? [] : [{ file, target }];
  });
}

/** Whether a program lies in a directory, by either of its names. */
function isInside({ file, target }: FoundProgram, directory: string): boolean {
  return isWithin(file, directory) || isWithin(target, directory);
}

/** The helpers that this machine has. */
function findHelperTools(): HelperTools {
  const find = (name: string) =>
    SYSTEM_DIRECTORIES.map((directory) => join(directory, name))
      .find((file) => executableAt(file) !== undefined);
  const [env, perl, setsid] = [find("env"), find("perl"), find("setsid")];
  return { ...env && { env }, ...perl && { perl }, ...setsid && { setsid } };
}

function executableAt(file: string): string | undefined {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile() ? realpathSync(file) : undefined;
  } catch {
    return undefined;
  }
}
