import { closeDescriptor, closeElsewhere, type Descriptor } from "../os/descriptor.ts";
import { beginWriteback } from "../os/file_content.ts";
import { Open, openAt } from "../os/open_at.ts";

/**
 * Has the kernel write the beginning of a new file out to the disk while the rest is still decoded.
 *
 * ext4 allocates all blocks of a file before it lets the file replace another (auto_da_alloc in
 * ext4(5)). Left to that moment, this takes most of the time that a file of some MiB needs.
 */
export class EarlyWriteback implements AsyncDisposable {
  readonly #path: string;
  #file: Descriptor | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Begins with what is in the file by now. A failure only means that it is written out later. */
  begin(): void {
    if (Deno.build.os !== "linux") return;
    try {
      const file = this.#file ??= openAt(-1, this.#path, Open.ReadOnly);
      this.#last = Promise.all([this.#last, beginWriteback(file)]);
    } catch {
      // A file that its owner may not read.
    }
  }

  /** Waits until all is on its way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last;
    if (this.#file !== undefined) closeDescriptor(this.#file);
  }
}

/**
 * Holds files that are about to lose their names, and closes them on another thread when it is
 * disposed of: whoever closes such a file last waits until the kernel has freed its blocks.
 */
export class DeferredClose implements Disposable {
  readonly #held: Descriptor[] = [];

  /** Holds what is at a path. What cannot be held is freed where it is closed. */
  hold(path: string): void {
    if (Deno.build.os !== "linux") return;
    try {
      this.#held.push(openAt(-1, path, Open.PathOnly));
    } catch {
      // Gone by now.
    }
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#held) closeElsewhere(descriptor);
  }
}
