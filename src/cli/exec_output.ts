import type { ExecProcess } from "../client/mod.ts";
import type { ForwardedSignals } from "./exec_signals.ts";
import { writeAll } from "./standard_output.ts";

/**
 * Writes a process's output to the streams that it belongs to, waiting for whoever reads them.
 * Settles with the exit code when all has been written.
 *
 * @throws {OutputClosed} when nobody reads it
 * @throws {Error} when the process is lost
 */
export async function forwardOutput(
  process: ExecProcess,
  signals: ForwardedSignals,
): Promise<number> {
  let exitCode = 0;
  for await (const event of process) {
    switch (event.kind) {
      case "output":
        await writeAll(event.stream === "stderr" ? Deno.stderr : Deno.stdout, event.bytes);
        break;
      case "exited":
        exitCode = event.exitCode;
        signals.exited(exitCode);
        break;
      case "failed":
        throw event.error;
    }
  }
  return exitCode;
}
