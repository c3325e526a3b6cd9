import type { Params, ResultInput } from "../protocol/methods.ts";
import { PathUri } from "../protocol/path_uri.ts";

/** `fs/canonicalize`: the path without symbolic links that leads to the same place. */
export async function canonicalize(
  { path }: Params<"fs/canonicalize">,
): Promise<ResultInput<"fs/canonicalize">> {
  const real = await Deno.realPath(path.toNativePath());
  return { path: PathUri.fromNativePath(real).toString() };
}
