import type { Params, ResultInput } from "../protocol/methods.ts";

/** `fs/getMetadata`: what a path leads to, and whether it is itself a symbolic link. */
export async function getMetadata(
  { path }: Params<"fs/getMetadata">,
): Promise<ResultInput<"fs/getMetadata">> {
  const native = path.toNativePath();
  const [target, itself] = await Promise.all([Deno.stat(native), Deno.lstat(native)]);
  return {
    isDirectory: target.isDirectory,
    isFile: target.isFile,
    isSymlink: itself.isSymlink,
    size: target.size,
    createdAtMs: target.birthtime?.getTime() ?? 0,
    modifiedAtMs: target.mtime?.getTime() ?? 0,
  };
}
