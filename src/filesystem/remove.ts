import type { Params, ResultInput } from "../protocol/methods.ts";
import { isNotFound } from "./io_error.ts";
import { hostPath } from "./named.ts";
import type { Paths } from "./paths.ts";
import { plainPaths } from "./plain_paths.ts";

/**
 * `fs/remove`: a file, a symbolic link (never its target) or a directory; one that is not empty
 * only with `recursive`. With `force` there need not be anything.
 */
export async function remove(
  { path, recursive, force }: Params<"fs/remove">,
  signal?: AbortSignal,
  paths: Paths = plainPaths,
): Promise<ResultInput<"fs/remove">> {
  try {
    await paths.remove(hostPath(path), recursive, signal);
  } catch (error) {
    if (!force || !isNotFound(error)) throw error;
  }
  return {};
}
