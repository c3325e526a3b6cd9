import { closeDescriptor, type Descriptor } from "../os/descriptor.ts";
import { beginWriteback } from "../os/file_content.ts";
import { Open, openAt } from "../os/open_at.ts";

/**
 * Has the kernel write a new file's bytes out while the rest of them is still being made.
 *
 * ext4 finds room on the disk for all bytes of a file that is to replace another before it lets it
 * (auto_da_alloc in ext4(5)). Left to that moment, this takes most of the time that a file of some
 * MiB needs.
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
