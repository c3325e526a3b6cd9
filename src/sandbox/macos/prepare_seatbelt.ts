import { hostDisk } from "../disk.ts";
import type { BoundIntent, DeniedGlob } from "../grants.ts";
import { checkCommand } from "../linux/check_command.ts";
import type { CommandToWrap } from "../linux/final_stage.ts";
import { seatbeltCommand } from "./seatbelt_command.ts";

/**
 * Encloses a command that can be started.
 *
 * @param intent with what globs deny now among its grants
 * @param globs the same globs, for what will be there later
 * @returns the arguments of sandbox-exec
 * @throws {RpcError} -32603 if the command could not be started so, or not in full
 */
export function prepareSeatbelt(
  intent: BoundIntent,
  globs: readonly DeniedGlob[],
  command: CommandToWrap,
): string[] {
  checkCommand(command, intent.files, hostDisk);
  const files = intent.files.kind === "all"
    ? intent.files
    : { ...intent.files, deniedGlobs: globs };
  return seatbeltCommand({ intent: { ...intent, files } }, command);
}
