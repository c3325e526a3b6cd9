import { workingDirectory } from "../os/environment.ts";
import { PathUri } from "../protocol/path_uri.ts";
import type { ExecutorChoice } from "./reach_executor.ts";
import { UsageError } from "./usage_error.ts";

/**
 * The path that a text names on a machine of whatever system; undefined for one that is not absolute.
 *
 * @throws {PathUriError} for what is no path
 */
export function absolutePath(text: string): PathUri | undefined {
  if (text.startsWith("file:")) return PathUri.parse(text);
  if (text.startsWith("/")) return PathUri.fromNativePath(text, "posix");
  if (/^[A-Za-z]:[\\/]|^\\\\/.test(text)) return PathUri.fromNativePath(text, "windows");
  return undefined;
}

/** This program's working directory. @throws {UsageError} when it was removed */
export function ownDirectory(): PathUri {
  const path = workingDirectory();
  if (path === undefined) throw new UsageError("the working directory is gone; use --cwd");
  return PathUri.fromNativePath(path);
}

/** A directory on the executor's machine that an option names. @throws {UsageError} */
export function directoryOf(option: string, path: string, executor: ExecutorChoice): PathUri {
  try {
    const absolute = absolutePath(path);
    if (absolute !== undefined) return absolute;
    // It is this machine.
    if (executor.kind === "stdio") return ownDirectory().join(path);
  } catch (error) {
    throw new UsageError(`${option}: ${error instanceof Error ? error.message : error}`);
  }
  throw new UsageError(`${option}: \`${path}\` is not an absolute path on the executor's machine`);
}

/** The directories that `--workspace` names. @throws {UsageError} */
export function workspaceDirectories(
  paths: readonly string[],
  executor: ExecutorChoice,
): PathUri[] {
  return paths.map((path) => directoryOf("--workspace", path, executor));
}
