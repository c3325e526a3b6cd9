import type { Child, ChildCommand, ChildObserver } from "../process/child.ts";
import { refuseInexpressible, startChild } from "../process/start_child.ts";
import { prepareSandbox } from "./prepare.ts";
import type { SandboxIntent } from "./requires_sandbox.ts";

/**
 * Starts a command enclosed as a client intends, or not at all.
 *
 * @param home the home directory of the user that commands run as
 * @throws {RpcError} -32602 or -32603 when the intent cannot be understood or enforced here
 * @throws {StartError} when the operating system refuses
 */
export async function startEnclosed(
  intent: SandboxIntent,
  home: string | undefined,
  command: ChildCommand,
  observer: ChildObserver,
): Promise<Child> {
  refuseInexpressible(command);
  const terminal = command.stdio.kind === "pty";
  const prepared = await prepareSandbox(intent, { ...command, terminal }, home);
  if (prepared.kind === "none") return await startChild(command, observer);
  const { startBubblewrap } = await import("./linux/start_bubblewrap.ts");
  return await startBubblewrap(prepared, command.stdio, observer);
}
