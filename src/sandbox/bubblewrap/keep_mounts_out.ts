import { isWithin } from "../../os/native_path.ts";
import { closeDescriptor } from "../../os/descriptor.ts";
import {
  enterMounts,
  insideMounts,
  keepMountsOut,
  keepMountsOutByPerl,
  NamespaceError,
  openMountNamespace,
  openOwner,
} from "../../os/namespaces.ts";
import { ownCommand } from "../../own_program.ts";
import { runChild, type RunResult } from "../../process/start_child.ts";
import type { NamespaceEntry } from "../linux/host.ts";
import { refuseWritableProgram } from "./writable_program.ts";

/** How a sandbox is entered for this. */
export interface MountKeeping {
  readonly entry: NamespaceEntry;
  /** The absolute path of perl(1), if there is one. */
  readonly perl: string | undefined;
  /** Directories in which commands may have put programs: none is run from there. */
  readonly untrusted: readonly string[];
}

/** The descriptor by which nsenter(1) is told a user namespace. */
const OWNER = 3;

/**
 * Keeps what is mounted on the host from now on out of a sandbox, where it could be written whatever
 * the policy says. bubblewrap lets it in, and has no option to do otherwise.
 *
 * @param pid the sandbox's first process
 * @throws {NamespaceError} if there is no way in, or the kernel refuses
 * @throws {RpcError} -32603 if this program could only do so by one that commands may have changed
 */
export async function keepLaterMountsOut(
  pid: number,
  { entry, perl, untrusted }: MountKeeping,
): Promise<void> {
  if (entry.kind === "privileged") return insideMounts(pid, keepMountsOut);
  const program = perl && Deno.realPathSync(perl);
  const { exitCode, stderr } = program && !untrusted.some((tree) => isWithin(program, tree))
    ? await runChild({ argv: [program, ...keepMountsOutByPerl(pid)], cwd: "/", env: {} })
    : await runHelper(pid, entry, untrusted);
  if (exitCode === 0) return;
  throw new NamespaceError(
    `what is mounted later cannot be kept out of the sandbox: ${stderr.trim()}`,
  );
}

/**
 * Only a process with a single thread may enter a user namespace (setns(2)), which this program
 * never is; so nsenter(1) does, and becomes this program, which goes on from there and ends.
 */
async function runHelper(
  pid: number,
  entry: NamespaceEntry,
  untrusted: readonly string[],
): Promise<RunResult> {
  if (entry.kind !== "program") {
    throw new NamespaceError(
      "what is mounted later cannot be kept out of the sandbox without nsenter(1) or perl(1)",
    );
  }
  refuseWritableProgram(untrusted);
  const namespace = openMountNamespace(pid);
  const owner = openOwner(namespace);
  try {
    return await runChild({
      argv: [
        entry.nsenter,
        `--user=/proc/self/fd/${OWNER}`,
        "--preserve-credentials",
        ...["--", ...ownCommand(), "sandbox-mounts", `${pid}`],
      ],
      cwd: "/",
      env: {},
      descriptors: [{ number: OWNER, source: owner }],
    });
  } finally {
    closeDescriptor(owner);
    closeDescriptor(namespace);
  }
}

/**
 * `remex sandbox-mounts PID`: keeps what is mounted later out of where a process sees its files.
 *
 * @throws {NamespaceError}
 */
export function keepMountsOutOf([pid]: readonly string[]): void {
  enterMounts(Number(pid));
  keepMountsOut();
}
