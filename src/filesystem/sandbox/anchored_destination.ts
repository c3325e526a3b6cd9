import type { Stats } from "node:fs";
import { type FileHandle, lstat } from "node:fs/promises";
import { dirname } from "node:path/posix";
import { closeDescriptor, type Descriptor } from "../../native/descriptor.ts";
import { Open, openAt, pathTo } from "../linux/descriptors.ts";
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
      const named = await lstat(this.#route.name);
      const same = named.dev === file.dev && named.ino === file.ino;
      return same ? this.#route.name : undefined;
    } catch {
      return undefined;
    }
  }

  async create(path: string, mode: number): Promise<UnfinishedFile> {
    const flags = Open.WriteOnly | Open.Create | Open.Exclusive | Open.NoFollow;
    const descriptor = openAt(-1, path, flags, mode);
    try {
      const file = await Deno.open(pathTo(descriptor), { write: true });
      return new UnfinishedFile(path, file, new HeldFile(descriptor));
    } catch (error) {
      closeDescriptor(descriptor);
      await Deno.remove(path).catch(() => {});
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#route[Symbol.dispose]();
  }
}

/** Keeps a new file within reach whatever becomes of its name. */
class HeldFile implements Disposable {
  readonly path: string;
  readonly #descriptor: Descriptor;

  constructor(descriptor: Descriptor) {
    this.#descriptor = descriptor;
    this.path = pathTo(descriptor);
  }

  [Symbol.dispose](): void {
    closeDescriptor(this.#descriptor);
  }
}
