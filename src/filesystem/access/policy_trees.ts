import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { SystemError } from "../../os/errno.ts";
import { childOf } from "../../os/native_path.ts";
import { Open, openAt, pathTo } from "../../os/open_at.ts";
import { undecodableNames } from "../../os/directory_entries.ts";
import { internalError, type RpcError } from "../../protocol/errors.ts";
import { remove } from "../named.ts";
import { type Place, refuseDepth } from "../paths.ts";
import type { AccessPolicy } from "./access_policy.ts";
import type { ResolvedPath } from "./resolve_beneath.ts";

/**
 * Refuses to copy a directory if something in it may not be read, or may not be written where it
 * would go. Without exceptions below the one and the other there is nothing to look at.
 *
 * @param destination free of links
 * @throws {RpcError}
 */
export async function approveTree(
  source: Place,
  destination: string,
  policy: AccessPolicy,
  signal: AbortSignal | undefined,
  depth = 0,
  root = source.name,
): Promise<void> {
  refuseDepth(depth, root);
  if (isUniform(source.name, "read", policy) && isUniform(destination, "write", policy)) return;
  for await (const { name, isDirectory } of source.entries()) {
    signal?.throwIfAborted();
    const to = childOf(destination, name);
    policy.check(to, "write");
    using child = source.child(name);
    if (isDirectory) await approveTree(child, to, policy, signal, depth + 1, root);
  }
}

function isUniform(directory: string, use: "read" | "write", policy: AccessPolicy): boolean {
  return policy.exceptionBelow(directory, use) === undefined && !policy.mayDenyBelow(directory);
}

/**
 * Removes what a path was resolved to: a link, never its target, and what is in a directory if asked to.
 *
 * A directory in which something has to stay is refused as a whole, and nothing in it is removed.
 *
 * @throws {RpcError} if something may not be removed
 */
export async function removeEntry(
  { path, name, object }: ResolvedPath,
  policy: AccessPolicy,
  recursive: boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (object === undefined) throw new SystemError("ENOENT");
  if (path === "/") throw new SystemError("EBUSY");
  policy.checkName(path);
  const kept = policy.exceptionBelow(path, "write");
  if (kept !== undefined) throw keeps(path, kept);
  const { isDirectory } = await Deno.stat(pathTo(object));
  if (isDirectory && recursive && policy.mayDenyBelow(path)) {
    await checkBelow(object, path, policy, signal);
  }
  // Each directory that is gone into is held by a descriptor, and no link is followed.
  await remove(name, recursive);
}

/** @throws {RpcError} if something below a directory may not be removed */
async function checkBelow(
  directory: Descriptor,
  path: string,
  policy: AccessPolicy,
  signal: AbortSignal | undefined,
  depth = 0,
  root = path,
): Promise<void> {
  refuseDepth(depth, root);
  // What cannot be named cannot be looked into either.
  for (const { likeness, mayBeDirectory } of undecodableNames(pathTo(directory))) {
    const inner = childOf(path, likeness);
    policy.check(inner, "write");
    if (mayBeDirectory && policy.mayDenyBelow(inner)) throw keeps(path, inner);
  }
  for await (const { name, isDirectory } of Deno.readDir(pathTo(directory))) {
    signal?.throwIfAborted();
    const inner = childOf(path, name);
    policy.check(inner, "write");
    const descriptor = isDirectory ? openDirectory(directory, name) : undefined;
    if (descriptor === undefined) continue;
    try {
      await checkBelow(descriptor, inner, policy, signal, depth + 1, root);
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
