import { isAbsolute, join } from "node:path/posix";
import { type ChildCommand, StartError } from "../child.ts";
import { executableCandidates } from "../executable.ts";

const NOT_FOUND = "No such file or directory (os error 2)";
const DENIED = "Permission denied (os error 13)";
const ENOENT = 2;
const EACCES = 13;
const ENOTDIR = 20;
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
  const denied = states.includes("denied");
  throw new StartError(`${name}: ${denied ? DENIED : NOT_FOUND}`, {
    failure: { culprit: "program", errno: denied ? EACCES : ENOENT },
  });
}

function requireDirectory(path: string): void {
  try {
    if (Deno.statSync(path).isDirectory) return;
  } catch (error) {
    const denied = error instanceof Deno.errors.PermissionDenied;
    throw new StartError(`${path}: ${denied ? DENIED : NOT_FOUND}`, {
      failure: { culprit: "workingDirectory", errno: denied ? EACCES : ENOENT },
    });
  }
  throw new StartError(`${path}: Not a directory (os error ${ENOTDIR})`, {
    failure: { culprit: "workingDirectory", errno: ENOTDIR },
  });
}

function stateOf(path: string): "executable" | "denied" | "absent" {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && ((mode ?? 0) & ANY_EXECUTE_BIT) !== 0 ? "executable" : "denied";
  } catch (error) {
    return error instanceof Deno.errors.PermissionDenied ? "denied" : "absent";
  }
}
