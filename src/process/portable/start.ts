import { type Child, type ChildCommand, type ChildObserver, StartError } from "../child.ts";
import { PortableChild, type StartedProcess } from "./child.ts";

/**
 * Starts a command through the runtime, on macOS and Windows. Windows has no signals: an interrupt reaches
 * only commands on a terminal, as Ctrl-C, and a request to end none. `arg0` is ignored there.
 *
 * @throws {StartError}
 */
export async function startPortableChild(
  command: ChildCommand,
  observer: ChildObserver,
): Promise<Child> {
  try {
    return new PortableChild(await startProcess(command), observer);
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

async function startProcess(command: ChildCommand): Promise<StartedProcess> {
  if (command.stdio.kind === "pipes") {
    const { startOnPipes } = await import("./pipes.ts");
    return startOnPipes(command, command.stdio.stdin);
  }
  if (Deno.build.os === "windows") {
    const { startOnConsole } = await import("./windows_console.ts");
    return await startOnConsole(command, command.stdio.size);
  }
  const { startOnTerminal } = await import("./unix_terminal.ts");
  return startOnTerminal(command, command.stdio.size);
}
