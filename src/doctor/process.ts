import { type ChildCommand, StartError } from "../process/child.ts";
import { runChild, startChild } from "../process/start_child.ts";
import { type DoctorCheck, ok } from "./report.ts";

/** Descriptors that a service usually gets at least. Every command takes up to five. */
const FEW_DESCRIPTORS = 1024;

/** Checks what running commands needs, sandboxed or not. */
export async function processChecks(): Promise<DoctorCheck[]> {
  if (Deno.build.os === "windows") return [];
  const checks = [await terminalCheck(), await shellCheck()];
  if (Deno.build.os !== "linux") return checks;
  return [...checks, await subreaperCheck(), descriptorCheck(readLimits())];
}

async function terminalCheck(): Promise<DoctorCheck> {
  const name = "terminals";
  const problem = await problemOf(() => runOnTerminal(["/bin/sh", "-c", "test -t 0 && test -t 1"]));
  if (problem === undefined) return ok(name, "a command ran on a pseudo-terminal");
  return {
    name,
    status: "failed",
    detail: `commands cannot run on a pseudo-terminal: ${problem}`,
    fix: "mount /dev/pts: `mount -t devpts devpts /dev/pts -o newinstance,ptmxmode=0666`, with " +
      "/dev/ptmx a link to pts/ptmx",
  };
}

/** The watchdog, which ends commands after the executor was killed, is a shell script. */
async function shellCheck(): Promise<DoctorCheck> {
  const name = "watchdog";
  const run = async () =>
    (await runChild({ argv: ["/bin/sh", "-c", "exit 0"], cwd: "/", env: {} })).exitCode;
  const problem = await problemOf(run);
  if (problem === undefined) return ok(name, "/bin/sh can run the watchdog");
  return {
    name,
    status: "failed",
    detail: `/bin/sh cannot run: ${problem}; commands outlive an executor that is killed`,
    fix: "install a POSIX shell as /bin/sh",
  };
}

async function problemOf(run: () => Promise<number>): Promise<string | undefined> {
  try {
    const exitCode = await run();
    return exitCode === 0 ? undefined : `exit code ${exitCode}`;
  } catch (error) {
    if (error instanceof StartError) return error.message;
    throw error;
  }
}

async function runOnTerminal(argv: ChildCommand["argv"]): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let exitCode = 0;
  await startChild({
    argv,
    cwd: "/",
    env: {},
    stdio: { kind: "pty", size: { rows: 24, cols: 80 } },
  }, {
    output: () => {},
    exited: (code) => exitCode = code,
    ended: resolve,
  });
  await promise;
  return exitCode;
}

async function subreaperCheck(): Promise<DoctorCheck> {
  const name = "descendants";
  const { becomeSubreaper } = await import("../os/subreaper.ts");
  const adopts = becomeSubreaper();
  const seesThem = readText("/proc/self/stat") !== undefined;
  if (adopts && seesThem) {
    return ok(name, "the executor finds and ends the processes that commands leave behind");
  }
  return {
    name,
    status: "warning",
    detail: adopts
      ? "/proc cannot be read: a process that leaves its command's process group is not ended"
      : "the kernel does not give the executor the processes that commands leave behind " +
        "(PR_SET_CHILD_SUBREAPER)",
    fix: adopts ? "mount /proc" : "Linux 3.4 or newer",
  };
}

function readLimits(): string | undefined {
  return readText("/proc/self/limits");
}

/** @param limits the content of /proc/self/limits (proc_pid_limits(5)) */
export function descriptorCheck(limits: string | undefined): DoctorCheck {
  const name = "open files";
  const found = limits?.match(/^Max open files +(\w+)/m)?.[1];
  if (found === undefined) {
    return {
      name,
      status: "warning",
      detail: "the limit (RLIMIT_NOFILE) cannot be read",
      fix: "mount /proc",
    };
  }
  if (found === "unlimited" || Number(found) >= FEW_DESCRIPTORS) {
    return ok(name, `up to ${found} (RLIMIT_NOFILE)`);
  }
  return {
    name,
    status: "warning",
    detail: `up to ${found} (RLIMIT_NOFILE): enough for about ${
      Math.floor(Number(found) / 5)
    } commands`,
    fix: "`ulimit -n 65536`, LimitNOFILE=65536 in a systemd unit, or `--ulimit nofile=65536` for " +
      "a container",
  };
}

function readText(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}
