import type { Params, ResultInput } from "../protocol/methods.ts";

/**
 * `fs/createDirectory`: one directory, or with `recursive` also those above it that are missing.
 * Only then may it be there already.
 */
export async function createDirectory(
  { path, recursive }: Params<"fs/createDirectory">,
): Promise<ResultInput<"fs/createDirectory">> {
  await Deno.mkdir(path.toNativePath(), { recursive });
  return {};
}
