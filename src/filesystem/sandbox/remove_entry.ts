import { internalError, type RpcError } from "../../protocol/errors.ts";
import { childOf } from "../../sandbox/native_path.ts";
import { isNotFound } from "../io_error.ts";
import { closeDescriptor, type Descriptor, Open, openAt, pathTo } from "../linux/descriptors.ts";
import { SystemError } from "../linux/system_error.ts";
import type { Judge } from "./judge.ts";
import type { Route } from "./route.ts";

/** Something that is to be removed: where its name is, and the path that it is judged by. */
interface Doomed {
  readonly name: string;
  readonly path: string;
}

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
  if (!isDirectory || !recursive) return await Deno.remove(name);
  const removing = { judge, signal };
  if (judge.mayDenyBelow(path)) await visit(object, path, removing, checkEach);
  await visit(object, path, removing, removeEach);
  await Deno.remove(name);
}

interface Removing {
  readonly judge: Judge;
  readonly signal: AbortSignal | undefined;
}

type Visitor = (
  child: Doomed,
  directory: Descriptor | undefined,
  removing: Removing,
) => Promise<void>;

/** Visits all names in a directory, each with the directory that it stands for, if it is one. */
async function visit(
  directory: Descriptor,
  path: string,
  removing: Removing,
  visitor: Visitor,
): Promise<void> {
  const within = pathTo(directory);
  for await (const entry of Deno.readDir(within)) {
    removing.signal?.throwIfAborted();
    const child = { name: `${within}/${entry.name}`, path: childOf(path, entry.name) };
    const inner = entry.isDirectory ? openDirectory(directory, entry.name) : undefined;
    try {
      await visitor(child, inner, removing);
    } finally {
      if (inner !== undefined) closeDescriptor(inner);
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

async function checkEach(
  { path }: Doomed,
  directory: Descriptor | undefined,
  removing: Removing,
): Promise<void> {
  removing.judge.check(path, "write");
  if (directory !== undefined) await visit(directory, path, removing, checkEach);
}

async function removeEach(
  { name, path }: Doomed,
  directory: Descriptor | undefined,
  removing: Removing,
): Promise<void> {
  removing.judge.check(path, "write");
  if (directory !== undefined) await visit(directory, path, removing, removeEach);
  try {
    await Deno.remove(name);
  } catch (error) {
    // Somebody else was faster.
    if (!isNotFound(error)) throw error;
  }
}

function keeps(path: string, kept: string): RpcError {
  return internalError(
    `the sandbox does not allow to remove '${path}', for '${kept}' has to stay as it is: ` +
      "Device or resource busy (os error 16)",
  );
}
