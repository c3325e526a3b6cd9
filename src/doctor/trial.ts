import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "@std/path";
import type { ChildCommand } from "../process/child.ts";
import { RpcError } from "../protocol/errors.ts";
import { SandboxUnavailable } from "../sandbox/mechanism.ts";
import { type DoctorCheck, ok } from "./report.ts";
import type { Policy } from "../sandbox/policy/policy.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";

/** A permission profile to try by running a command under it. */
export interface Trial {
  readonly profile: string;
  /** Whether the workspace may be written. */
  readonly writable: boolean;
  /** The policy for a workspace, given by its native path. */
  policyFor(workspace: string): Promise<Policy>;
}

/** The program that a trial runs. */
const SHELL = "/bin/sh";

/** How the command tells what happened. With any other code something kept it from trying. */
const ESCAPED = 3;
const HELD_BACK = 4;
const NO_NULL_DEVICE = 5;
const KEPT = 6;

/** What mkdir(1) ends with if it ran and could not make a directory. */
const NOT_MADE = 1;

const FIRST = `(: > /dev/null) || exit ${NO_NULL_DEVICE}; `;
/** A mkdir that did not run has refused nothing. */
const refused = (path: string) =>
  `why=$(mkdir "${path}" 2>&1); case $? in 0) exit ${ESCAPED};; ${NOT_MADE}) ;; ` +
  `*) echo "$why"; exit 1;; esac; `;
const IN_READ_ONLY = `${FIRST}${refused("$0/new")}exit ${KEPT}`;
const IN_WRITABLE = `${FIRST}mkdir "$0/new" || exit ${HELD_BACK}; ` +
  `${refused("$0/.git")}exit ${KEPT}`;

/**
 * Runs a command in a sandbox; the command tries what the profile allows and what it denies.
 *
 * @param fix what would help if the sandbox is refused
 */
export async function runTrial(
  sandbox: Sandbox,
  trial: Trial,
  fix = LOOK_FOR_DENIALS,
): Promise<DoctorCheck> {
  const name = `sandbox ${trial.profile}`;
  if (!await exists(SHELL)) {
    return {
      name,
      status: "warning",
      detail: `not tried: ${SHELL} is missing`,
      fix: `install a POSIX shell as ${SHELL}`,
    };
  }
  const problem = await tryInTemporaryWorkspace(sandbox, trial, fix);
  if (problem === undefined) return ok(name, "a command ran in it and could not break out");
  return { name, status: "failed", ...problem };
}

const LOOK_FOR_DENIALS = "look in the kernel's log (`dmesg`) for denials by AppArmor or SELinux";

type Problem = Required<Pick<DoctorCheck, "detail" | "fix">>;

async function tryInTemporaryWorkspace(
  sandbox: Sandbox,
  trial: Trial,
  fix: string,
): Promise<Problem | undefined> {
  let directory: string;
  try {
    directory = await mkdtemp(join(tmpdir(), "remex-doctor-"));
  } catch (error) {
    return {
      detail: `not tried: ${messageOf(error)}`,
      fix: "set TMPDIR to a directory that this user can write to",
    };
  }
  try {
    const workspace = join(directory, "workspace");
    await mkdir(workspace);
    return await tryIn(sandbox, workspace, trial);
  } catch (error) {
    return refusal(error, fix);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Why a sandbox was refused. The refusal's own fix goes before what helps in general. */
function refusal(error: unknown, fix: string): Problem {
  const cause = error instanceof RpcError ? error.cause : undefined;
  return cause instanceof SandboxUnavailable
    ? { detail: messageOf(cause), fix: cause.fix ?? fix }
    : { detail: messageOf(error), fix };
}

function messageOf(error: unknown): string {
  return inOneLine(error instanceof Error ? error.message : String(error));
}

async function tryIn(
  sandbox: Sandbox,
  workspace: string,
  { writable, policyFor }: Trial,
): Promise<Problem | undefined> {
  const { exitCode, output } = await runSandboxed(sandbox, await policyFor(workspace), {
    argv: [SHELL, "-c", writable ? IN_WRITABLE : IN_READ_ONLY, workspace],
    cwd: workspace,
    env: { PATH: "/usr/bin:/bin" },
    stdio: { kind: "pipes", stdin: "empty" },
  });
  switch (exitCode) {
    case KEPT:
      return undefined;
    case ESCAPED:
      return {
        detail: "a command could write to a directory that the profile denies",
        fix: "do not rely on sandboxes here; update the kernel and bubblewrap",
      };
    case HELD_BACK:
      return {
        detail: inOneLine(`a command could not write to its workspace: ${output}`),
        fix: LOOK_FOR_DENIALS,
      };
    case NO_NULL_DEVICE:
      return {
        detail: inOneLine(`a command could not write to /dev/null: ${output}`),
        fix: "give /dev/null its mode back: chmod 666 /dev/null",
      };
    default:
      return {
        detail: inOneLine(`a command ended with exit code ${exitCode}: ${output}`),
        fix: LOOK_FOR_DENIALS,
      };
  }
}

async function runSandboxed(
  sandbox: Sandbox,
  policy: Policy,
  command: ChildCommand,
): Promise<{ readonly exitCode: number; readonly output: string }> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const text = new TextDecoder();
  let [exitCode, output] = [0, ""];
  await sandbox.start(policy, undefined, command, {
    output: (_, bytes) => output += text.decode(bytes, { stream: true }),
    exited: (code) => exitCode = code,
    ended: resolve,
  });
  await promise;
  return { exitCode, output };
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

function inOneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, " ");
}
