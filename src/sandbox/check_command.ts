import { EACCES, ENOENT, ENOTDIR } from "../os/constants.ts";
import { accessSync, constants, statSync } from "node:fs";
import { resolve } from "@std/path/posix";
import { startFailureOf } from "../process/child.ts";
import { executableCandidates } from "../process/executable.ts";
import { internalError } from "../protocol/errors.ts";
import type { StartFailure } from "../protocol/process.ts";
import type { Disk } from "./disk.ts";
import { accessTo, type BoundFiles } from "./policy/bound_policy.ts";
import { resolvePath } from "./policy/resolve_path.ts";
import { isWithin } from "../os/native_path.ts";
import type { CommandToSandbox } from "./mechanism.ts";

/**
 * Refuses a command that could not be started in its sandbox, in the words of the system or of the
 * policy: once the wrapper runs, its failure is hard to tell from the command's own.
 *
 * @returns the command's directory, with links resolved
 * @throws {RpcError} -32603
 */
export function checkCommand(command: CommandToSandbox, files: BoundFiles, disk: Disk): string {
  const cwd = resolvePath(command.cwd, disk);
  if (cwd.kind === "missing") throw notThere(command.cwd, "workingDirectory");
  if (cwd.kind !== "directory") {
    const data = startFailureOf("workingDirectory", ENOTDIR);
    throw internalError(`${command.cwd}: Not a directory (os error ${ENOTDIR})`, undefined, data);
  }
  if (!canRead(files, cwd.path) && !leadsToGrant(files, cwd.path)) throw notReadable(command.cwd);
  checkProgram(command, cwd.path, files, disk);
  return cwd.path;
}

function checkProgram({ argv, env }: CommandToSandbox, cwd: string, files: BoundFiles, disk: Disk) {
  const [name = ""] = argv;
  const candidates = executableCandidates(name, env).map((candidate) => resolve(cwd, candidate));
  let refusal = () => notThere(name, "program");
  for (const candidate of candidates) {
    if (!isFile(candidate)) continue;
    if (!isExecutable(candidate)) {
      refusal = () => notExecutable(name);
    } else if (canRead(files, resolvePath(candidate, disk).path)) {
      return;
    } else {
      refusal = () => notReadable(candidate);
    }
  }
  throw refusal();
}

function canRead(files: BoundFiles, path: string): boolean {
  return accessTo(files, path) !== "deny";
}

/** Directories above what is granted are there, though nothing else is in them. */
function leadsToGrant(files: BoundFiles, path: string): boolean {
  return path === "/" || files.kind === "granted" &&
      files.grants.some(({ path: granted, access, kind }) =>
        access !== "deny" && kind !== "missing" && kind !== "unreachable" && isWithin(granted, path)
      );
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function notExecutable(path: string) {
  const data = startFailureOf("program", EACCES);
  return internalError(`${path}: Permission denied (os error ${EACCES})`, undefined, data);
}

function notThere(path: string, culprit: StartFailure["culprit"]) {
  const data = startFailureOf(culprit, ENOENT);
  return internalError(`${path}: No such file or directory (os error ${ENOENT})`, undefined, data);
}

function notReadable(path: string) {
  return internalError(`${path}: the sandbox does not let the command read it`);
}
