import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { foreignNames } from "../../os/foreign_names.ts";
import { linkText, Open, openAt, pathTo } from "../../os/open_at.ts";
import { SystemError } from "../../os/errno.ts";
import { internalError, type RpcError } from "../../protocol/errors.ts";
import { childOf } from "../../os/native_path.ts";
import { isNotFound, systemErrorCode } from "../io_error.ts";
import { listEntries, makeDirectory, makeLink, remove } from "../named.ts";
import { openForWriting } from "../open.ts";
import type { Destination, Paths, Place, Use } from "../paths.ts";
import { leadsTo } from "../plain_paths.ts";
import { UnfinishedFile } from "../unfinished_file.ts";
import { denial, isHarmlessDevice, type Judge, kernelsOwn } from "./judge.ts";
import { findRoute, openChild, type Route } from "./route.ts";
import type { Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "@std/path/posix";

/**
 * Follows the paths of a sandboxed request itself, judges what they lead to, and then reaches that
 * through descriptors only: a name that somebody gives to something else meanwhile leads nowhere.
 */
export class AnchoredPaths implements Paths {
  readonly #judge: Judge;

  constructor(judge: Judge) {
    this.#judge = judge;
  }

  object(path: string, use: Use): Place {
    return this.#place(path, use, true);
  }

  entry(path: string, use: Use): Place {
    return this.#place(path, use, false);
  }

  // deno-lint-ignore require-await -- what fails is to reject
  async canonical(path: string): Promise<string> {
    using place = this.object(path, "look");
    return place.name;
  }

  destination(path: string): Destination {
    const route = this.#routeToChange(path, true);
    try {
      return new AnchoredDestination(route, this.#judge);
    } catch (error) {
      route[Symbol.dispose]();
      throw error;
    }
  }

  async makeDirectory(path: string, recursive: boolean): Promise<void> {
    try {
      return await this.#makeOne(path, recursive);
    } catch (error) {
      const parent = dirname(path);
      if (!recursive || !isNotFound(error) || parent === path) throw error;
      await this.makeDirectory(parent, true);
    }
    await this.#makeOne(path, recursive);
  }

  async makeLink(target: string, path: string): Promise<void> {
    using route = this.#routeToChange(path, false);
    if (route.object !== undefined) throw new SystemError("EEXIST");
    this.#judge.checkName(route.path);
    await makeLink(target, route.name);
  }

  async remove(path: string, recursive: boolean, signal?: AbortSignal): Promise<void> {
    using route = this.#routeToChange(path, false);
    await removeEntry(route, this.#judge, recursive, signal);
  }

  async approveCopy(source: Place, destination: string, signal?: AbortSignal): Promise<void> {
    await approveTree(source, destination, this.#judge, signal);
  }

  /** @throws {RpcError} also if what would be changed is the kernel's, as read-only as to a command */
  #routeToChange(path: string, followLast: boolean): Route {
    const route = findRoute(path, this.#judge, followLast);
    if (!route.isKernels()) return route;
    route[Symbol.dispose]();
    throw kernelsOwn(route.path);
  }

  #place(path: string, use: Use, followLast: boolean): Place {
    const route = findRoute(path, this.#judge, followLast);
    try {
      const object = this.#require(route, use);
      return new AnchoredPlace(route.path, object, this.#judge, () => route[Symbol.dispose]());
    } catch (error) {
      route[Symbol.dispose]();
      throw error;
    }
  }

  #require({ path, object }: Route, use: Use): Descriptor {
    if (object === undefined) throw new SystemError("ENOENT");
    // Its list shows what is granted and nothing else.
    if (use !== "read" || !this.#judge.isSkeleton(path)) this.#judge.check(path, use);
    return object;
  }

  async #makeOne(path: string, recursive: boolean): Promise<void> {
    using route = findRoute(path, this.#judge, false);
    if (route.object === undefined) {
      this.#judge.checkName(route.path);
      if (route.isKernels()) throw kernelsOwn(route.path);
      try {
        return await makeDirectory(route.name);
      } catch (error) {
        if (!recursive || systemErrorCode(error) !== "EEXIST") throw error;
      }
    }
    if (!recursive || !await this.#isDirectory(path)) throw new SystemError("EEXIST");
  }

  async #isDirectory(path: string): Promise<boolean> {
    try {
      using place = this.object(path, "look");
      return (await place.stat()).isDirectory;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }
}

/** Where a file may be written, reached through descriptors. */
class AnchoredDestination implements Destination {
  readonly file: string | undefined;
  readonly #route: Route;
  readonly #judge: Judge;

  /** @throws {RpcError} if nothing may be written there; the route is then still the caller's */
  constructor(route: Route, judge: Judge) {
    this.file = route.object === undefined ? undefined : pathTo(route.object);
    this.#route = route;
    this.#judge = judge;
    if (this.file === undefined) judge.checkName(route.path);
    else judge.check(route.path, "write");
  }

  async open(signal?: AbortSignal): Promise<FileHandle | undefined> {
    if (this.file === undefined) return undefined;
    const { isBlockDevice, isCharDevice } = await Deno.stat(this.file);
    const isDevice = isBlockDevice || isCharDevice;
    // As below any mount of a sandbox.
    if (isDevice && !isHarmlessDevice(this.#route.path)) throw denial(this.#route.path);
    return await openForWriting(this.file, signal);
  }

  // deno-lint-ignore require-await -- what fails is to reject
  async newName(): Promise<string> {
    this.#judge.checkName(this.#route.path);
    return this.#route.name;
  }

  async nameOf(file: Stats): Promise<string | undefined> {
    // A file that is granted by itself is written in place.
    if (this.#judge.access(dirname(this.#route.path)) !== "write") return undefined;
    try {
      return await leadsTo(this.#route.name, file) ? this.#route.name : undefined;
    } catch {
      return undefined;
    }
  }

  create(path: string, mode: number): Promise<UnfinishedFile> {
    return UnfinishedFile.createHeld(path, mode);
  }

  createNameless(path: string, mode: number): Promise<UnfinishedFile> {
    return UnfinishedFile.createNameless(path, mode);
  }

  [Symbol.dispose](): void {
    this.#route[Symbol.dispose]();
  }
}

/** Something that was judged, reached through its descriptor ever after. */
class AnchoredPlace implements Place {
  readonly path: string;
  /** Free of links. */
  readonly name: string;
  readonly #object: Descriptor;
  readonly #judge: Judge;
  readonly #release: () => void;

  /** @param release gives back what holds the object */
  constructor(name: string, object: Descriptor, judge: Judge, release: () => void) {
    this.path = pathTo(object);
    this.name = name;
    this.#object = object;
    this.#judge = judge;
    this.#release = release;
  }

  stat(): Promise<Deno.FileInfo> {
    // A descriptor of a link leads to the link.
    return Deno.stat(this.path);
  }

  readLink(): Promise<string> {
    const text = linkText(this.#object);
    return text === undefined ? Promise.reject(new SystemError("EINVAL")) : Promise.resolve(text);
  }

  async *entries(): AsyncIterable<Deno.DirEntry> {
    const judge = this.#judge;
    const skeleton = judge.isSkeleton(this.name);
    for await (const entry of listEntries(this.path)) {
      const path = childOf(this.name, entry.name);
      if (!judge.isHidden(path) && (!skeleton || judge.isPassable(path))) yield entry;
    }
  }

  child(name: string): Place {
    const path = childOf(this.name, name);
    // A skeleton's entries are only those that lead to what is granted.
    if (!this.#judge.isSkeleton(path)) this.#judge.check(path, "read");
    const object = openChild(this.#object, name, path, this.#judge);
    return new AnchoredPlace(path, object, this.#judge, () => closeDescriptor(object));
  }

  [Symbol.dispose](): void {
    this.#release();
  }
}

/**
 * Refuses to copy a directory if something in it may not be read, or may not be written where it
 * would go. Without exceptions below the one and the other there is nothing to look at.
 *
 * @param destination free of links
 * @throws {RpcError}
 */
async function approveTree(
  source: Place,
  destination: string,
  judge: Judge,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (isUniform(source.name, "read", judge) && isUniform(destination, "write", judge)) return;
  for await (const { name, isDirectory } of source.entries()) {
    signal?.throwIfAborted();
    const to = childOf(destination, name);
    judge.check(to, "write");
    using child = source.child(name);
    if (isDirectory) await approveTree(child, to, judge, signal);
  }
}

function isUniform(directory: string, use: "read" | "write", judge: Judge): boolean {
  return judge.exceptionBelow(directory, use) === undefined && !judge.mayDenyBelow(directory);
}

/**
 * Removes what a route led to: a link, never its target, and what is in a directory if asked to.
 *
 * A directory in which something has to stay is refused as a whole, and nothing in it is removed.
 *
 * @throws {RpcError} if something may not be removed
 */
async function removeEntry(
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
