import { isAbsolute } from "node:path/posix";
import type { ChildCommand } from "../child.ts";
import type { StartedProcess } from "./child.ts";
import { type Launch, launchNamed } from "./launcher.ts";
import { locateExecutable } from "./locate.ts";
import { PipeInput } from "./pipe_input.ts";
import { PipeOutput } from "./pipe_output.ts";

/** Starts a command with pipes on its output and, if asked for, on its input. @throws {Error} */
export function startOnPipes(command: ChildCommand, stdin: "pipe" | "empty"): StartedProcess {
  const { file, args, env } = launchOf(command);
  const child = new Deno.Command(file, {
    args: [...args],
    cwd: command.cwd,
    env: { ...env },
    clearEnv: true,
    detached: true,
    stdin: stdin === "pipe" ? "piped" : "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return {
    pid: child.pid,
    exit: child.status.then(({ code }) => code),
    input: stdin === "pipe" ? new PipeInput(child.stdin) : undefined,
    outputs: [
      { stream: "stdout", open: (observer) => new PipeOutput(child.stdout, observer) },
      { stream: "stderr", open: (observer) => new PipeOutput(child.stderr, observer) },
    ],
  };
}

/** The runtime names a command by its absolute file, so any other name takes a detour. */
function launchOf(command: ChildCommand): Launch {
  const { argv: [name = "", ...args], arg0 = name, env } = command;
  if (Deno.build.os === "windows") return { file: name, args, env };
  const file = locateExecutable(command);
  const launch = { file, args, env };
  return file === arg0 && isAbsolute(file) ? launch : launchNamed(launch, arg0);
}
