import type { ExecProcess } from "../client/mod.ts";
import type { ForwardedSignals } from "./exec_signals.ts";
import { OutputClosed, writeAll } from "./standard_output.ts";

/** The output cannot be written here, as to a full disk. */
export class OutputError extends Error {
  override readonly name = "OutputError";
}

/** When a command counts as over: when it ends, or when nobody holds its output any more. */
export type EndOfCommand = "exit" | "output";

/**
 * Writes a process's output to the streams that it belongs to, waiting for whoever reads them.
 * Settles with the exit code when all has been written.
 *
 * @param until whether output of what the command left in the background belongs to it, too
 * @throws {OutputClosed} when nobody reads it
 * @throws {OutputError} when it cannot be written
 * @throws {Error} when the process is lost
 */
export async function forwardOutput(
  process: ExecProcess,
  signals: ForwardedSignals,
  until: EndOfCommand,
): Promise<number> {
  let exitCode = 0;
  for await (const event of process) {
    switch (event.kind) {
      case "output":
        await writeOutput(event.stream === "stderr" ? "stderr" : "stdout", event.bytes);
        break;
      case "exited":
        exitCode = event.exitCode;
        signals.exited(exitCode);
        if (until === "exit") return exitCode;
        break;
      case "failed":
        throw event.error;
    }
  }
  return exitCode;
}

async function writeOutput(
  stream: "stdout" | "stderr",
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  try {
    await writeAll(Deno[stream], bytes);
  } catch (error) {
    if (error instanceof OutputClosed) throw error;
    const [name, words] = [
      stream === "stdout" ? "standard output" : "standard error",
      error instanceof Error ? error.message : String(error),
    ];
    throw new OutputError(`${name} cannot be written: ${words}`, { cause: error });
  }
}
