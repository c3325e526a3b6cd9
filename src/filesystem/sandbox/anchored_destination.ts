import type { Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path/posix";
import { pathTo } from "../linux/descriptors.ts";
import { leadsTo } from "../link_target.ts";
import { openForWriting } from "../open.ts";
import type { Destination } from "../paths.ts";
import { UnfinishedFile } from "../unfinished_file.ts";
import { denial, isHarmlessDevice, type Judge } from "./judge.ts";
import type { Route } from "./route.ts";

/** Where a file may be written, reached through descriptors. */
export class AnchoredDestination implements Destination {
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
