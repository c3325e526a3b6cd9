import { closeDescriptor, type Descriptor } from "../../native/descriptor.ts";
import { childOf } from "../../sandbox/native_path.ts";
import { linkText, pathTo } from "../linux/descriptors.ts";
import { listEntries } from "../named.ts";
import { SystemError } from "../linux/system_error.ts";
import type { Place } from "../paths.ts";
import type { Judge } from "./judge.ts";
import { openChild } from "./route.ts";

/** Something that was judged, reached through its descriptor ever after. */
export class AnchoredPlace implements Place {
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
