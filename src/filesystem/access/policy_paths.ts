import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { linkText, pathTo } from "../../os/open_at.ts";
import { SystemError } from "../../os/errno.ts";
import { childOf } from "../../os/native_path.ts";
import { isNotFound, systemErrorCode } from "../io_error.ts";
import { listEntries, makeDirectory, makeLink } from "../named.ts";
import { openForWriting } from "../open.ts";
import type { Destination, Paths, Place, Use } from "../paths.ts";
import { leadsTo } from "../plain_paths.ts";
import { TempFile } from "../temp_file.ts";
import { type AccessPolicy, denial, isHarmlessDevice, kernelsOwn } from "./access_policy.ts";
import { approveTree, removeEntry } from "./policy_trees.ts";
import { openChild, resolveBeneath, type ResolvedPath } from "./resolve_beneath.ts";
import type { Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "@std/path/posix";

/**
 * Follows the paths of a sandboxed request itself, checks what they lead to against a policy, and then
 * works on that through descriptors only: a name that somebody gives to something else meanwhile has
 * no effect.
 */
export class PolicyPaths implements Paths {
  readonly #policy: AccessPolicy;

  constructor(policy: AccessPolicy) {
    this.#policy = policy;
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
    const resolved = this.#resolveToChange(path, true);
    try {
      return new PolicyDestination(resolved, this.#policy);
    } catch (error) {
      resolved[Symbol.dispose]();
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
    using resolved = this.#resolveToChange(path, false);
    if (resolved.object !== undefined) throw new SystemError("EEXIST");
    this.#policy.checkName(resolved.path);
    await makeLink(target, resolved.name);
  }

  async remove(path: string, recursive: boolean, signal?: AbortSignal): Promise<void> {
    using resolved = this.#resolveToChange(path, false);
    await removeEntry(resolved, this.#policy, recursive, signal);
  }

  async approveCopy(source: Place, destination: string, signal?: AbortSignal): Promise<void> {
    await approveTree(source, destination, this.#policy, signal);
  }

  /** @throws {RpcError} also if what would be changed is the kernel's, as read-only as to a command */
  #resolveToChange(path: string, followLast: boolean): ResolvedPath {
    const resolved = resolveBeneath(path, this.#policy, followLast);
    if (!resolved.isKernels()) return resolved;
    resolved[Symbol.dispose]();
    throw kernelsOwn(resolved.path);
  }

  #place(path: string, use: Use, followLast: boolean): Place {
    const resolved = resolveBeneath(path, this.#policy, followLast);
    try {
      const object = this.#require(resolved, use);
      return new PolicyPlace(resolved.path, object, this.#policy, () => resolved[Symbol.dispose]());
    } catch (error) {
      resolved[Symbol.dispose]();
      throw error;
    }
  }

  #require({ path, object }: ResolvedPath, use: Use): Descriptor {
    if (object === undefined) throw new SystemError("ENOENT");
    // Its list shows what is granted and nothing else.
    if (use !== "read" || !this.#policy.isSkeleton(path)) this.#policy.check(path, use);
    return object;
  }

  async #makeOne(path: string, recursive: boolean): Promise<void> {
    using resolved = resolveBeneath(path, this.#policy, false);
    if (resolved.object === undefined) {
      this.#policy.checkName(resolved.path);
      if (resolved.isKernels()) throw kernelsOwn(resolved.path);
      try {
        return await makeDirectory(resolved.name);
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
class PolicyDestination implements Destination {
  readonly file: string | undefined;
  readonly #resolved: ResolvedPath;
  readonly #policy: AccessPolicy;

  /** @throws {RpcError} if nothing may be written there; the resolved path is then still the caller's */
  constructor(resolved: ResolvedPath, policy: AccessPolicy) {
    this.file = resolved.object === undefined ? undefined : pathTo(resolved.object);
    this.#resolved = resolved;
    this.#policy = policy;
    if (this.file === undefined) policy.checkName(resolved.path);
    else policy.check(resolved.path, "write");
  }

  async open(signal?: AbortSignal): Promise<FileHandle | undefined> {
    if (this.file === undefined) return undefined;
    const { isBlockDevice, isCharDevice } = await Deno.stat(this.file);
    const isDevice = isBlockDevice || isCharDevice;
    // As below any mount of a sandbox.
    if (isDevice && !isHarmlessDevice(this.#resolved.path)) throw denial(this.#resolved.path);
    return await openForWriting(this.file, signal);
  }

  // deno-lint-ignore require-await -- what fails is to reject
  async newName(): Promise<string> {
    this.#policy.checkName(this.#resolved.path);
    return this.#resolved.name;
  }

  async nameOf(file: Stats): Promise<string | undefined> {
    // A file that is granted by itself is written in place.
    if (this.#policy.access(dirname(this.#resolved.path)) !== "write") return undefined;
    try {
      return await leadsTo(this.#resolved.name, file) ? this.#resolved.name : undefined;
    } catch {
      return undefined;
    }
  }

  create(path: string, mode: number): Promise<TempFile> {
    return TempFile.createHeld(path, mode);
  }

  createNameless(path: string, mode: number): Promise<TempFile> {
    return TempFile.createNameless(path, mode);
  }

  [Symbol.dispose](): void {
    this.#resolved[Symbol.dispose]();
  }
}

/** Something that the policy allows, reached through its descriptor ever after. */
class PolicyPlace implements Place {
  readonly path: string;
  /** Free of links. */
  readonly name: string;
  readonly #object: Descriptor;
  readonly #policy: AccessPolicy;
  readonly #release: () => void;

  /** @param release gives back what holds the object */
  constructor(name: string, object: Descriptor, policy: AccessPolicy, release: () => void) {
    this.path = pathTo(object);
    this.name = name;
    this.#object = object;
    this.#policy = policy;
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
    const policy = this.#policy;
    const skeleton = policy.isSkeleton(this.name);
    for await (const entry of listEntries(this.path)) {
      const path = childOf(this.name, entry.name);
      if (!policy.isHidden(path) && (!skeleton || policy.isPassable(path))) yield entry;
    }
  }

  child(name: string): Place {
    const path = childOf(this.name, name);
    // A skeleton's entries are only those that lead to what is granted.
    if (!this.#policy.isSkeleton(path)) this.#policy.check(path, "read");
    const object = openChild(this.#object, name, path, this.#policy);
    return new PolicyPlace(path, object, this.#policy, () => closeDescriptor(object));
  }

  [Symbol.dispose](): void {
    this.#release();
  }
}
