import type { Params, ResultInput } from "../protocol/methods.ts";
import { hostPath } from "./named.ts";
import type { Paths } from "./paths.ts";
import { plainPaths } from "./plain_paths.ts";

/**
 * `fs/createDirectory`: one directory, or with `recursive` also those above it that are missing.
 * Only then may it be there already.
 */
export async function createDirectory(
  { path, recursive }: Params<"fs/createDirectory">,
  _signal?: AbortSignal,
  paths: Paths = plainPaths,
): Promise<ResultInput<"fs/createDirectory">> {
  await paths.makeDirectory(hostPath(path), recursive);
  return {};
}
