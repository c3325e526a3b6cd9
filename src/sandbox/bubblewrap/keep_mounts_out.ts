import { isWithin } from "../../os/native_path.ts";
import {
  enterMounts,
  insideMounts,
  keepMountsOut,
  keepMountsOutByPerl,
  NamespaceError,
} from "../../os/namespaces.ts";
import { runChild } from "../../process/start_child.ts";
import type { NamespaceEntry } from "../linux/host.ts";
import { runMountHelper } from "./mount_helper.ts";
import { refuseWritableProgram } from "./writable_program.ts";

/** How a sandbox is entered for this. */
export interface MountKeeping {
  readonly entry: NamespaceEntry;
  /** The absolute path of perl(1), if there is one. */
  readonly perl: string | undefined;
  /** Directories in which commands may have put programs: none is run from there. */
  readonly untrusted: readonly string[];
}

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
  if (program && !untrusted.some((tree) => isWithin(program, tree))) {
    const argv = [program, ...keepMountsOutByPerl(pid)];
    const { exitCode, stderr } = await runChild({ argv, cwd: "/", env: {} });
    if (exitCode === 0) return;
    throw new NamespaceError(
      `what is mounted later cannot be kept out of the sandbox: ${stderr.trim()}`,
    );
  }
  if (entry.kind === "none") {
    throw new NamespaceError(
      "what is mounted later cannot be kept out of the sandbox without nsenter(1) or perl(1)",
    );
  }
  refuseWritableProgram(untrusted);
  await runMountHelper(pid, entry.nsenter, ["sandbox-mounts", `${pid}`]);
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
