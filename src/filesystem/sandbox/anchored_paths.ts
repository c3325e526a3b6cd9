import { dirname } from "node:path/posix";
import { isNotFound, systemErrorCode } from "../io_error.ts";
import type { Descriptor } from "../../native/descriptor.ts";
import { makeDirectory, makeLink } from "../named.ts";
import { SystemError } from "../linux/system_error.ts";
import type { Destination, Paths, Place, Use } from "../paths.ts";
import { AnchoredDestination } from "./anchored_destination.ts";
import { AnchoredPlace } from "./anchored_place.ts";
import { approveTree } from "./approve_tree.ts";
import { type Judge, kernelsOwn } from "./judge.ts";
import { removeEntry } from "./remove_entry.ts";
import { findRoute, type Route } from "./route.ts";

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
