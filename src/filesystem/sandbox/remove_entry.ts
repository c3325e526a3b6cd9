import { closeDescriptor, type Descriptor } from "../../native/descriptor.ts";
import { internalError, type RpcError } from "../../protocol/errors.ts";
import { childOf } from "../../sandbox/native_path.ts";
import { Open, openAt, pathTo } from "../linux/descriptors.ts";
import { foreignNames } from "../linux/foreign_names.ts";
import { remove } from "../named.ts";
import { SystemError } from "../linux/system_error.ts";
import type { Judge } from "./judge.ts";
import type { Route } from "./route.ts";

/**
 * Removes what a route led to: a link, never its target, and what is in a directory if asked to.
 *
 * A directory in which something has to stay is refused as a whole, and nothing in it is removed.
 *
 * @throws {RpcError} if something may not be removed
 */
export async function removeEntry(
  { path, name, object }: Route,
  judge: Judge,
  recursive: boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (object === undefined) throw new SystemError("ENOENT");
  if (path === "/") throw new SystemError("EBUSY");
  judge.checkName(path);
  const kept = judge.exceptionBelow(path, "write");
  if (kept !== undefined) throw keeps(path, kept);
  const { isDirectory } = await Deno.stat(pathTo(object));
  if (isDirectory && recursive && judge.mayDenyBelow(path)) {
    await checkBelow(object, path, judge, signal);
  }
  // The runtime, too, holds each directory that it goes into by a descriptor and follows no link.
  await remove(name, recursive);
}

/** @throws {RpcError} if something below a directory may not be removed */
async function checkBelow(
  directory: Descriptor,
  path: string,
  judge: Judge,
  signal: AbortSignal | undefined,
): Promise<void> {
  // What cannot be named cannot be looked into either.
  for (const { likeness, mayBeDirectory } of foreignNames(pathTo(directory))) {
    const inner = childOf(path, likeness);
    judge.check(inner, "write");
    if (mayBeDirectory && judge.mayDenyBelow(inner)) throw keeps(path, inner);
  }
  for await (const { name, isDirectory } of Deno.readDir(pathTo(directory))) {
    signal?.throwIfAborted();
    const inner = childOf(path, name);
    judge.check(inner, "write");
    const descriptor = isDirectory ? openDirectory(directory, name) : undefined;
    if (descriptor === undefined) continue;
    try {
      await checkBelow(descriptor, inner, judge, signal);
    } finally {
      closeDescriptor(descriptor);
    }
  }
}

/** Undefined if the name has become that of something else. */
function openDirectory(parent: Descriptor, name: string): Descriptor | undefined {
  try {
    return openAt(parent, name, Open.PathOnly | Open.Directory | Open.NoFollow);
  } catch (error) {
    if (error instanceof SystemError && ["ENOENT", "ENOTDIR", "ELOOP"].includes(error.code)) return;
    throw error;
  }
}

function keeps(path: string, kept: string): RpcError {
  return internalError(
    `the sandbox does not allow to remove '${path}', for '${kept}' has to stay as it is: ` +
      "Device or resource busy (os error 16)",
  );
}
