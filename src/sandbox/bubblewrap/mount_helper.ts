import { closeDescriptor } from "../../os/descriptor.ts";
import { NamespaceError, openMountNamespace, openOwner } from "../../os/namespaces.ts";
import { ownCommand } from "../../own_program.ts";
import { runChild } from "../../process/start_child.ts";

/** The descriptor by which nsenter(1) is told a user namespace. */
const OWNER = 3;

/**
 * Runs this program with the rights to change what a process sees as its files.
 *
 * Only a process with a single thread may enter a user namespace (setns(2)), which this program
 * never is; so nsenter(1) does, and becomes this program, which goes on from there and ends. What owns
 * the mounts is not always the namespace that the process is in: bubblewrap may make a second in it.
 *
 * @param nsenter its absolute path
 * @param command one of this program's internal commands, with its arguments
 * @throws {NamespaceError} in the helper's words
 */
export async function runMountHelper(
  pid: number,
  nsenter: string,
  command: readonly string[],
): Promise<void> {
  const namespace = openMountNamespace(pid);
  const owner = openOwner(namespace);
  try {
    const { exitCode, stderr } = await runChild({
      argv: [
        nsenter,
        `--user=/proc/self/fd/${OWNER}`,
        "--preserve-credentials",
        ...["--", ...ownCommand(), ...command],
      ],
      cwd: "/",
      env: {},
      descriptors: [{ number: OWNER, source: owner }],
    });
    if (exitCode !== 0) throw new NamespaceError(stderr.trim());
  } finally {
    closeDescriptor(owner);
    closeDescriptor(namespace);
  }
}
