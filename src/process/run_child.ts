import type { ChildCommand } from "./child.ts";
import { startChild } from "./start_child.ts";

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
