import { insideMounts, keepMountsOut, keepMountsOutByPerl } from "../../os/namespaces.ts";
import { runChild } from "../../process/start_child.ts";
import type { NamespaceEntry } from "../linux/host.ts";

/** How a sandbox is entered for this. */
export interface MountKeeping {
  readonly entry: NamespaceEntry;
  /** The absolute path of perl(1), if there is one that no command may have put there. */
  readonly perl: string | undefined;
}

/**
 * Keeps what is mounted on the host from now on out of a sandbox, where it could be written whatever
 * the policy says. bubblewrap lets it in, and has no option to do otherwise.
 *
 * @param pid the sandbox's first process
 * @throws {NamespaceError} if the kernel refuses
 * @throws {Error} if there is no way in
 */
export async function keepLaterMountsOut(
  pid: number,
  { entry, perl }: MountKeeping,
): Promise<void> {
  if (entry.kind === "privileged") return insideMounts(pid, keepMountsOut);
  if (perl === undefined) {
    throw new Error("it takes perl(1) to keep what is mounted later out of the sandbox");
  }
  const { exitCode, stderr } = await runChild({
    argv: [perl, ...keepMountsOutByPerl(pid)],
    cwd: "/",
    env: {},
  });
  if (exitCode === 0) return;
  throw new Error(`what is mounted later cannot be kept out of the sandbox: ${stderr.trim()}`);
}
