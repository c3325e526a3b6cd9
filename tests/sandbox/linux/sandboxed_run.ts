import { delay } from "@std/async/delay";
import { openWithoutLinks } from "../../../src/os/open_at.ts";
import { closeDescriptor } from "../../../src/os/descriptor.ts";
import { BubblewrapCommand } from "../../../src/sandbox/bubblewrap/mechanism.ts";
import { LinuxHost } from "../../../src/sandbox/linux/host.ts";
import { parseBubblewrapStatus } from "../../../src/sandbox/bubblewrap/wrapper_channels.ts";
import { Sandbox } from "../../../src/sandbox/sandbox.ts";
import { context, type ContextOptions } from "../context.ts";

// Opens the C library, which stays open for good, where no single test is blamed for it.
if (Deno.build.os === "linux") closeDescriptor(openWithoutLinks("/"));

/** Whether this machine can run the tests at all. */
export const canRunBubblewrap = Deno.build.os === "linux" && await isUsable();

const sandbox = new Sandbox({ mechanism: "bubblewrap" });

/** A user without any privileges, whom root can become. */
const NOBODY = 65534;

/** Who to try everything as: whoever runs the tests and, if that is root, an ordinary user. */
export const users: readonly TestUser[] = Deno.uid() === 0
  ? [{ name: "root" }, { name: "an ordinary user", id: NOBODY }]
  : [{ name: "an ordinary user" }];

export interface TestUser {
  readonly name: string;
  /** Undefined for whoever runs the tests. */
  readonly id?: number;
}

/** A command in a sandbox; the working directory is also the workspace if nothing else is said. */
export interface RunOptions extends ContextOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly arg0?: string;
  readonly user?: TestUser;
}

export interface RunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What the wrapper reported; undefined if the command never ran. */
  readonly reportedExitCode: number | undefined;
}

/** Runs a shell script in a sandbox. */
export function runScript(script: string, options: RunOptions): Promise<RunResult> {
  return run(["/bin/sh", "-c", script], options);
}

/** Runs a command in a sandbox, to its very end. */
export async function run(argv: readonly string[], options: RunOptions): Promise<RunResult> {
  const wrapped = await wrap(argv, options);
  try {
    return await (await startWrapped(wrapped, options.user)).result;
  } finally {
    wrapped.release();
  }
}

/** Prepares a command without running it. */
export async function wrap(
  argv: readonly string[],
  options: RunOptions,
): Promise<BubblewrapCommand> {
  const { cwd, arg0, env = { PATH: "/usr/bin:/bin" } } = options;
  const policy = {
    sandbox: context({ ...options, workspaceRoots: options.workspaceRoots ?? [cwd] }),
    enforceManagedNetwork: false,
    managedNetwork: undefined,
  };
  const prepared = await sandbox.prepare(
    policy,
    { argv, arg0, cwd, env, terminal: false },
    "/home/nobody",
  );
  if (!(prepared instanceof BubblewrapCommand)) throw new Error("it is not bubblewrap's");
  return prepared;
}

/** A wrapper that was started. */
export interface StartedWrapper {
  /** The wrapper's own process. */
  readonly pid: number;
  /** When every process of the sandbox has ended. */
  readonly result: Promise<RunResult>;
}

/** Opens what stands under the descriptors' numbers in a directory, and becomes the command. */
const OPEN_AND_EXEC = 'd=$1; shift; exec "$@" 3<"$d/3" 4<"$d/4" 5>"$d/5" 6<"$d/6"';

/** Starts what was prepared. */
export async function startWrapped(
  wrapped: BubblewrapCommand,
  user?: TestUser,
): Promise<StartedWrapper> {
  const become = ["setpriv", `--reuid=${user?.id}`, `--regid=${user?.id}`, "--clear-groups", "--"];
  const argv = user?.id === undefined ? wrapped.setup.argv : [...become, ...wrapped.setup.argv];
  const descriptors = await Deno.makeTempDir();
  for (const { number, purpose } of wrapped.setup.descriptors) {
    const bytes = purpose.kind === "data" ? purpose.bytes : new Uint8Array(1);
    await Deno.writeFile(`${descriptors}/${number}`, bytes);
  }
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", OPEN_AND_EXEC, "sh", descriptors, ...argv],
    cwd: "/",
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return { pid: child.pid, result: resultOf(child, descriptors) };
}

async function resultOf(child: Deno.ChildProcess, descriptors: string): Promise<RunResult> {
  const { code, stdout, stderr } = await child.output();
  const status = parseBubblewrapStatus(await Deno.readTextFile(`${descriptors}/5`));
  if (status.firstProcess !== undefined) await isGone(status.firstProcess);
  await Deno.remove(descriptors, { recursive: true });
  const text = new TextDecoder();
  return {
    exitCode: code,
    stdout: text.decode(stdout),
    stderr: text.decode(stderr),
    reportedExitCode: status.exitCode,
  };
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

async function isUsable(): Promise<boolean> {
  const { bubblewrap } = await new LinuxHost().probe([]);
  return bubblewrap.kind === "usable";
}
