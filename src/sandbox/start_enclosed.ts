import type { Child, ChildCommand, ChildObserver, Enclosure } from "../process/child.ts";
import { refuseInexpressible, startChild } from "../process/start_child.ts";
import { internalError } from "../protocol/errors.ts";
import { isSandboxDenial } from "./denial.ts";
import { EnclosedChild } from "./enclosed_child.ts";
import { prepareSandbox, type WrappedCommand } from "./prepare.ts";
import type { Egress, SandboxIntent } from "./policy/requires_sandbox.ts";

const UNLIMITED = "commands that Landlock encloses cannot be limited in memory and processes " +
  "(commandLimits), nothing was started; bubblewrap can (sandboxMechanism)";

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
  const enclosure = enclosureOf(prepared, intent.egress);
  if (prepared.kind === "restricted") {
    // The thread that it would be born on is not in the group, and may not enter it.
    if (command.group !== undefined) throw internalError(UNLIMITED);
    const { startRestricted } = await import("./landlock/start.ts");
    return await startRestricted(prepared.command, enclosure, command.stdio, observer);
  }
  if (Deno.build.os === "linux") {
    const { startWrapped } = await import("./bubblewrap/start_wrapped.ts");
    return await startWrapped(prepared, enclosure, command, observer);
  }
  const { argv, cwd, env } = prepared;
  return new EnclosedChild(
    await startChild({ argv, cwd, env, stdio: command.stdio }, observer),
    enclosure,
  );
}

function enclosureOf(
  { sandboxType }: Pick<WrappedCommand, "sandboxType">,
  egress: Egress | undefined,
): Enclosure {
  return {
    sandboxType,
    isDenial: (exitCode, output) =>
      exitCode !== 0 && egress !== undefined && egress.report.denied.length > 0 ||
      isSandboxDenial({ sandboxType, exitCode, output }),
    get network() {
      return egress?.report;
    },
  };
}
