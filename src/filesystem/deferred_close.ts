import { closeElsewhere, type Descriptor } from "../os/descriptor.ts";
import { Open, openAt } from "../os/open_at.ts";

/**
 * Holds files that are about to lose their names, so that the kernel frees what they occupied on a
 * thread of its own when this is disposed of: whoever closes such a file last waits for it.
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
