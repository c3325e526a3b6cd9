import { isAbsolute, join } from "node:path/posix";
import { type ChildCommand, StartError } from "../child.ts";
import { executableCandidates } from "../executable.ts";

const NOT_FOUND = "No such file or directory (os error 2)";
const DENIED = "Permission denied (os error 13)";
const ANY_EXECUTE_BIT = 0o111;

/**
 * The file that a command's name stands for on Unix, looked up as execvp(3) does; a relative one is
 * relative to the command's working directory.
 *
 * Starting fails for the same reasons later, but then the words for them are lost.
 *
 * @throws {StartError}
 */
export function locateExecutable(command: ChildCommand): string {
  const { argv: [name = ""], cwd, env } = command;
  requireDirectory(cwd);
  const candidates = executableCandidates(name, env);
  const states = candidates.map((path) => stateOf(isAbsolute(path) ? path : join(cwd, path)));
  const found = candidates[states.indexOf("executable")];
  if (found !== undefined) return found;
  throw new StartError(`${name}: ${states.includes("denied") ? DENIED : NOT_FOUND}`);
}

function requireDirectory(path: string): void {
  try {
    if (Deno.statSync(path).isDirectory) return;
  } catch (error) {
    throw new StartError(
      `${path}: ${error instanceof Deno.errors.PermissionDenied ? DENIED : NOT_FOUND}`,
    );
  }
  throw new StartError(`${path}: Not a directory (os error 20)`);
}

function stateOf(path: string): "executable" | "denied" | "absent" {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && ((mode ?? 0) & ANY_EXECUTE_BIT) !== 0 ? "executable" : "denied";
  } catch (error) {
    return error instanceof Deno.errors.PermissionDenied ? "denied" : "absent";
  }
}
