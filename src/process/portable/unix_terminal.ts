import { ReadStream } from "node:tty";
import type { ChildCommand, TerminalSize } from "../child.ts";
import type { StartedProcess } from "./child.ts";
import { type Launch, launchOnTerminal, launchResize } from "./launcher.ts";
import { locateExecutable } from "./locate.ts";
import { TerminalInput } from "./terminal_input.ts";
import { TerminalOutput } from "./terminal_output.ts";
import { closeDescriptor, openPseudoTerminal } from "./unix_pseudo_terminal.ts";

/** Starts a command on a pseudo-terminal of macOS or Linux. @throws {Error} */
export function startOnTerminal(command: ChildCommand, size: TerminalSize): StartedProcess {
  const { argv: [name = "", ...args], arg0 = name, env } = command;
  const file = locateExecutable(command);
  const { master, slave, path } = openPseudoTerminal();
  const terminal = new ReadStream(master);
  try {
    const launch = launchOnTerminal({ file, args, env }, arg0, { path, ...size });
    const child = spawn(launch, command.cwd);
    const exit = child.status.then(({ code }) => {
      closeDescriptor(slave);
      return code;
    });
    return {
      pid: child.pid,
      exit,
      input: new TerminalInput(terminal, master),
      outputs: [{ stream: "pty", open: (observer) => new TerminalOutput(terminal, observer) }],
      // BSD systems take a terminal away from all who have it when its session's leader exits.
      outputsEndWithExit: Deno.build.os === "darwin",
      resize: (size) => void spawn(launchResize({ path, ...size }), "/"),
    };
  } catch (error) {
    closeDescriptor(slave);
    terminal.destroy();
    throw error;
  }
}

function spawn({ file, args, env }: Launch, cwd: string): Deno.ChildProcess {
  return new Deno.Command(file, {
    args: [...args],
    cwd,
    env: { ...env },
    clearEnv: true,
    detached: true,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}
