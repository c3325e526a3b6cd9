import type { Params, ResultInput } from "../protocol/methods.ts";
import { hostPath } from "./named.ts";
import type { Paths } from "./paths.ts";
import { plainPaths } from "./plain_paths.ts";

/** `fs/getMetadata`: what a path leads to, and whether it is itself a symbolic link. */
export async function getMetadata(
  { path }: Params<"fs/getMetadata">,
  _signal?: AbortSignal,
  paths: Paths = plainPaths,
): Promise<ResultInput<"fs/getMetadata">> {
  const native = hostPath(path);
  using object = paths.object(native, "look");
  using entry = paths.entry(native, "look");
  const [target, itself] = await Promise.all([object.stat(), entry.stat()]);
  return {
    isDirectory: target.isDirectory,
    isFile: target.isFile,
    isSymlink: itself.isSymlink,
    size: target.size,
    createdAtMs: target.birthtime?.getTime() ?? 0,
    modifiedAtMs: target.mtime?.getTime() ?? 0,
  };
}
