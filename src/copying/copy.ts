import { RpcError } from "../protocol/errors.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import { copyFile, type FileAt } from "./copy_file.ts";
import { childOf, TreeCopy, type TreeOptions } from "./copy_tree.ts";
import type { FileEnd, Status } from "./end.ts";

/** What is copied. */
export interface Source extends FileAt {
  /** Whether only what is in the directory is meant, as `DIRECTORY/.` says. */
  readonly contents: boolean;
}

/** Where the copy is to be. */
export interface Destination extends FileAt {
  /** Whether it is said to be a directory, as `DIRECTORY/` does. */
  readonly directory: boolean;
}

/**
 * Copies a file or a directory: into a directory that is there, or under the name given.
 *
 * @throws {RpcError} what an executor or the system refuses
 * @throws {Error} for what makes no sense, such as a directory into itself
 * @throws {ConnectionError} when an executor is lost
 */
export async function copy(
  from: Source,
  to: Destination,
  options: TreeOptions,
): Promise<void> {
  const name = from.end.describe(from.path);
  const [source, there] = await Promise.all([
    withNames(name, from.end.stat(from.path)),
    withNames(to.end.describe(to.path), to.end.stat(to.path)),
  ]);
  if (source === undefined) throw new Error(`${name}: there is no such file or directory`);
  if (source.kind === "other") throw new Error(`${name} is no file or directory`);
  const target = await targetOf(from, source, to, there);
  if (source.kind === "directory") return await copyDirectory(from, source, target, options);
  const { path, status } = target;
  if (status?.kind === "directory") {
    throw new Error(`${to.end.describe(path)} is a directory`);
  }
  refuseSame(from, source, target);
  await requireParent(target);
  options.expected(source.size);
  await withNames(
    `${name} to ${to.end.describe(path)}`,
    copyFile(from, source, target, options),
  );
  options.copied();
}

/** Says what it is about that an executor or the system refuses. */
export async function withNames<T>(names: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    throw new RpcError(error.code, `${names}: ${error.message}`, { cause: error });
  }
}

/** What is copied gets a name in a directory that is there. */
async function requireParent({ end, path, status }: Target): Promise<void> {
  const parent = path.parent();
  if (status === undefined && parent !== undefined && await end.stat(parent) === undefined) {
    throw new Error(`${end.describe(parent)}: there is no such directory`);
  }
}

interface Target extends FileAt {
  readonly status: Status | undefined;
}

async function targetOf(
  from: Source,
  source: Status,
  { end, path, directory }: Destination,
  there: Status | undefined,
): Promise<Target> {
  if (there?.kind === "directory" && !(from.contents && source.kind === "directory")) {
    const name = lastSegment(from.path);
    const child = name === undefined ? path : childOf(path, name);
    return { end, path: child, status: await end.stat(child) };
  }
  if (directory && there?.kind !== "directory" && source.kind !== "directory") {
    throw new Error(`${end.describe(path)} is no directory`);
  }
  return { end, path, status: there };
}

async function copyDirectory(
  from: Source,
  source: Status,
  target: Target,
  options: TreeOptions,
): Promise<void> {
  const { end, path, status } = target;
  if (status !== undefined && status.kind !== "directory") {
    throw new Error(`${end.describe(path)} is there already, and is no directory`);
  }
  await requireParent(target);
  const parent = path.parent();
  const existing = status === undefined ? parent : path;
  if (existing !== undefined && await isWithin(end, await end.canonical(existing), source)) {
    throw new Error(`${from.end.describe(from.path)} cannot be copied into itself`);
  }
  const there = status && { permissions: status.permissions, contents: from.contents };
  await new TreeCopy(from.end, end, options).run(from.path, source, path, there);
}

function refuseSame({ end, path }: FileAt, source: Status, target: Target): void {
  if (source.identity === undefined || source.identity !== target.status?.identity) return;
  const names = `${end.describe(path)} and ${target.end.describe(target.path)}`;
  throw new Error(`${names} are the same file`);
}

/** Whether a path, free of links, leads to a directory or to something below it. */
async function isWithin(end: FileEnd, path: PathUri, { identity }: Status): Promise<boolean> {
  if (identity === undefined) return false;
  for (const ancestor of path.ancestors()) {
    const status = await end.stat(ancestor);
    if (status?.identity === identity) return true;
    // Another machine has none of the same.
    if (status?.identity !== undefined && !isSameMachine(status.identity, identity)) return false;
  }
  return false;
}

/** Identities begin with what they are unique in. */
function isSameMachine(one: string, other: string): boolean {
  return one.split(" ")[0] === other.split(" ")[0];
}

function lastSegment(path: PathUri): string | undefined {
  const text = path.toString().replace(/\/$/, "");
  const segment = text.slice(text.lastIndexOf("/") + 1);
  return path.parent() === undefined || segment === "" ? undefined : segment;
}
