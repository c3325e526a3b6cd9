import { delay } from "@std/async/delay";
import type { SandboxContext } from "../../../src/protocol/sandbox.ts";
import { sandboxContext } from "../../../src/protocol/sandbox.ts";
import { hostAbilities } from "../../../src/sandbox/host.ts";
import { parseBubblewrapStatus } from "../../../src/sandbox/linux/bubblewrap_status.ts";
import type { CommandToWrap } from "../../../src/sandbox/linux/final_stage.ts";
import { prepareSandbox, type WrappedCommand } from "../../../src/sandbox/prepare.ts";

/** Whether this machine can run the tests at all. */
export const canRunBubblewrap = Deno.build.os === "linux" && await isUsable();

/** A user without privileges that a test run as root can become. */
export const NOBODY = 65534;

/** The users to try everything as: whoever runs the tests, and if that is root an ordinary one. */
export const users: readonly (number | undefined)[] = Deno.uid() === 0
  ? [undefined, NOBODY]
  : [undefined];

export interface RunOptions {
  readonly entries?: readonly unknown[];
  readonly permissions?: unknown;
  readonly network?: "restricted" | "enabled";
  readonly roots?: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly arg0?: string;
  readonly user?: number | undefined;
  readonly globMaxDepth?: number;
}

export interface RunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What the wrapper reported; undefined if the command never ran. */
  readonly reportedExitCode: number | undefined;
}

/** The intent in the form in which a client sends it. */
export function contextFor(options: RunOptions): SandboxContext {
  return sandboxContext.parse({
    permissions: options.permissions ?? {
      type: "managed",
      network: options.network ?? "restricted",
      file_system: {
        type: "restricted",
        entries: options.entries ?? [],
        glob_scan_max_depth: options.globMaxDepth ?? null,
      },
    },
    cwd: toUri(options.cwd),
    workspaceRoots: (options.roots ?? [options.cwd]).map(toUri),
  });
}

export function special(kind: string, access: string, subpath?: string) {
  return { path: { type: "special", value: { kind, subpath } }, access };
}

export function path(path: string, access: string) {
  return { path: { type: "path", path: toUri(path) }, access };
}

export function glob(pattern: string) {
  return { path: { type: "glob_pattern", pattern }, access: "deny" };
}

/** Reads everything, writes the workspace. */
export const workspaceWrite = [special("root", "read"), special("project_roots", "write")];

/** Runs a shell script in a sandbox. */
export function runScript(script: string, options: RunOptions): Promise<RunResult> {
  return run(["/bin/sh", "-c", script], options);
}

/** Runs a command in a sandbox, to its very end. */
export async function run(argv: readonly string[], options: RunOptions): Promise<RunResult> {
  const wrapped = await wrap(argv, options);
  try {
    return await runWrapped(wrapped, options.user);
  } finally {
    wrapped.release();
  }
}

/** Prepares a command without running it. */
export async function wrap(
  argv: readonly string[],
  options: RunOptions,
): Promise<WrappedCommand> {
  const command: CommandToWrap = {
    argv,
    arg0: options.arg0,
    cwd: options.cwd,
    env: options.env ?? { PATH: "/usr/bin:/bin" },
    terminal: false,
  };
  const intent = {
    sandbox: contextFor(options),
    enforceManagedNetwork: false,
    managedNetwork: undefined,
  };
  const prepared = await prepareSandbox(intent, command, "/nonexistent");
  if (prepared.kind === "none") throw new Error("nothing was wrapped");
  return prepared;
}

/** Opens what stands under the descriptors' numbers in a directory, and becomes the command. */
const OPEN_AND_EXEC = 'd=$1; shift; exec "$@" 3<"$d/3" 4<"$d/4" 5>"$d/5" 6<"$d/6"';

/** Starts what was prepared and waits until every process of the sandbox is gone. */
export async function runWrapped(wrapped: WrappedCommand, user?: number): Promise<RunResult> {
  const become = ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups", "--"];
  const argv = user === undefined ? wrapped.argv : [...become, ...wrapped.argv];
  const descriptors = await Deno.makeTempDir();
  try {
    for (const { number, purpose } of wrapped.descriptors) {
      const bytes = purpose.kind === "data" ? purpose.bytes : new Uint8Array(1);
      await Deno.writeFile(`${descriptors}/${number}`, bytes);
    }
    const { code, stdout, stderr } = await new Deno.Command("/bin/sh", {
      args: ["-c", OPEN_AND_EXEC, "sh", descriptors, ...argv],
      cwd: wrapped.cwd,
      env: { ...wrapped.env },
      clearEnv: true,
      stdin: "null",
    }).output();
    const status = parseBubblewrapStatus(await Deno.readTextFile(`${descriptors}/5`));
    if (status.firstProcess !== undefined) await isGone(status.firstProcess);
    const text = new TextDecoder();
    return {
      exitCode: code,
      stdout: text.decode(stdout),
      stderr: text.decode(stderr),
      reportedExitCode: status.exitCode,
    };
  } finally {
    await Deno.remove(descriptors, { recursive: true });
  }
}

/** A process whose parent has not asked for its end yet is still listed, as a zombie. */
async function isGone(pid: number): Promise<void> {
  while (await isAlive(pid)) await delay(1);
}

async function isAlive(pid: number): Promise<boolean> {
  try {
    return !/^State:\s+[ZX]/m.test(await Deno.readTextFile(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function toUri(path: string): string {
  return `file://${path.split("/").map(encodeURIComponent).join("/")}`;
}

async function isUsable(): Promise<boolean> {
  const abilities = await hostAbilities([]);
  return abilities.os === "linux" && abilities.bubblewrap.kind === "usable";
}
