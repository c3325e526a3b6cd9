import { S_ISUID } from "../../os/constants.ts";
import { statSync } from "node:fs";
import { log } from "../../log/log.ts";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { openMemoryFile } from "../../os/pipes.ts";
import { runChild, type RunResult } from "../../process/start_child.ts";
import { RetriedProbe } from "../retried_probe.ts";
import { readProc } from "../../os/procfs.ts";

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

/**
 * What the kernel numbers the next process after (proc_sys_kernel(5)), for whoever writes it. In the
 * new /proc it may be read-only, so it is written in the host's, which bubblewrap still has there.
 */
const LAST_NUMBER_FILE = "/proc/self/root/oldroot/proc/sys/kernel/ns_last_pid";

/** Higher than those of everything else that every call of bubblewrap is given. */
const LAST_NUMBER = 7;

/** The options of bubblewrap that number processes, and the descriptor that they read. */
export const NUMBERING: { readonly options: readonly string[]; readonly descriptor: number } = {
  options: ["--file", `${LAST_NUMBER}`, LAST_NUMBER_FILE],
  descriptor: LAST_NUMBER,
};

/** Its mounts are made by another of its processes: when they are complete cannot be told. */
const SET_USER_ID = {
  kind: "unusable",
  reason: "bubblewrap is installed set-user-ID, and what it mounts could not be checked",
  fix: "chmod u-s it, and allow user namespaces",
} as const;

/** Tries what bubblewrap at a path can do here, again for as long as something is missing. */
export function bubblewrapTrial(path: string): RetriedProbe<BubblewrapAbility> {
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

/** What keeps bubblewrap from working, and what would help. */
export interface Diagnosis {
  readonly reason: string;
  readonly fix: string;
}

/** Settings of the kernel that take user namespaces away; undefined where there is no such setting. */
export interface NamespaceSettings {
  /** kernel.apparmor_restrict_unprivileged_userns (Ubuntu 24.04 and newer). */
  readonly appArmorRestricted: boolean | undefined;
  /** kernel.unprivileged_userns_clone (Debian's kernel). */
  readonly unprivilegedAllowed: boolean | undefined;
  /** user.max_user_namespaces. */
  readonly maxUserNamespaces: number | undefined;
}

/** bubblewrap is not there at all. */
export const NOT_INSTALLED: Diagnosis = {
  reason: "bubblewrap (bwrap) is not on PATH outside of the workspace",
  fix: "install bubblewrap: `apt install bubblewrap`, `dnf install bubblewrap` or the like",
};

/**
 * Explains a failed trial of bubblewrap.
 *
 * @param message what bubblewrap wrote to stderr
 */
export function diagnoseBubblewrap(message: string, settings: NamespaceSettings): Diagnosis {
  const said = message.trim().replace(/^bwrap: /, "");
  const reason = said === "" ? "bubblewrap cannot be run" : `bubblewrap fails: ${said}`;
  return { reason, fix: fixFor(settings) };
}

function fixFor(settings: NamespaceSettings): string {
  if (settings.maxUserNamespaces === 0) {
    return "allow user namespaces: `sysctl -w user.max_user_namespaces=15000`";
  }
  if (settings.unprivilegedAllowed === false) {
    return "allow user namespaces: `sysctl -w kernel.unprivileged_userns_clone=1`";
  }
  if (settings.appArmorRestricted === true) {
    return "let bubblewrap make user namespaces with an AppArmor profile for /usr/bin/bwrap that has " +
      "`userns,`, or `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`";
  }
  return "in a container, let it make user namespaces: `--security-opt seccomp=unconfined " +
    "--security-opt apparmor=unconfined --security-opt systempaths=unconfined` for Docker and Podman";
}

/** The kernel's settings about user namespaces. */
export function namespaceSettings(): NamespaceSettings {
  const flag = (name: string) => {
    const value = readProc(`sys/kernel/${name}`).trim();
    return value === "" ? undefined : value !== "0";
  };
  const max = readProc("sys/user/max_user_namespaces");
  return {
    appArmorRestricted: flag("apparmor_restrict_unprivileged_userns"),
    unprivilegedAllowed: flag("unprivileged_userns_clone"),
    maxUserNamespaces: max === "" ? undefined : Number(max),
  };
}
