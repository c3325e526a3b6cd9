import type { Params, ResultInput } from "../protocol/methods.ts";
import { hostPath, uriOf } from "./named.ts";
import type { Paths } from "./paths.ts";
import { plainPaths } from "./plain_paths.ts";

/** `fs/canonicalize`: the path without symbolic links that leads to the same place. */
export async function canonicalize(
  { path }: Params<"fs/canonicalize">,
  _signal?: AbortSignal,
  paths: Paths = plainPaths,
): Promise<ResultInput<"fs/canonicalize">> {
  const real = await paths.canonical(hostPath(path));
  return { path: uriOf(real).toString() };
}
