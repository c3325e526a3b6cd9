import { isOsString } from "../os/os_string.ts";
import { waitForFileSystems } from "../os/local_file_systems.ts";
import { threadsBegun } from "../os/thread_starts.ts";
import { type Child, type ChildCommand, type ChildObserver, StartError } from "./child.ts";
import { startingPaths } from "./executable.ts";
import { startLinuxChild } from "./linux/start.ts";

/**
 * Starts a command by the means that this system has. Nothing is told before whoever awaits the
 * child has it.
 *
 * @throws {StartError}
 */
export async function startChild(command: ChildCommand, observer: ChildObserver): Promise<Child> {
  refuseInexpressible(command);
  if (Deno.build.os === "linux") {
    await waitForFileSystems(startingPaths(command));
    await threadsBegun();
    return startLinuxChild(command, observer);
  }
  const { startPortableChild } = await import("./portable/child.ts");
  return await startPortableChild(command, observer);
}

/**
 * Systems take texts up to the first NUL, and in UTF-8, which has no unpaired surrogates: a command
 * would get others than it was sent. Only those of the working directory may stand for bytes, as
 * `decodeOsString` has them.
 *
 * @throws {StartError}
 */
export function refuseInexpressible(
  { argv, arg0 = "", cwd, env }: Omit<ChildCommand, "stdio">,
): void {
  const place = "in an argument, a variable or the working directory";
  const texts = [...argv, arg0, cwd, ...Object.entries(env).flat()];
  if (texts.some((text) => text.includes("\0"))) throw new StartError(`NUL ${place}`);
  // What this program inherited, and a path, need not be UTF-8.
  const wellFormed = [...argv, arg0].every((text) => text.isWellFormed());
  if (!wellFormed || !texts.every(isOsString)) {
    throw new StartError(`an unpaired surrogate ${place}`);
  }
}

/** A command that was run to its end, and all it wrote. */
export interface RunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command with empty input. @throws {StartError} */
export async function runChild(command: Omit<ChildCommand, "stdio">): Promise<RunResult> {
  const { promise, resolve } = Promise.withResolvers<RunResult>();
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder(), pty: new TextDecoder() };
  const text = { stdout: "", stderr: "", pty: "" };
  let exitCode = 0;
  await startChild({ ...command, stdio: { kind: "pipes", stdin: "empty" } }, {
    output: (stream, bytes) => text[stream] += decoders[stream].decode(bytes, { stream: true }),
    exited: (code) => exitCode = code,
    ended: () => resolve({ exitCode, stdout: text.stdout, stderr: text.stderr }),
  });
  return await promise;
}
