import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { succeeded } from "./call_error.ts";

/** Descriptors that are held while one call is served. */
export class DescriptorScope implements Disposable {
  readonly #held = new Set<Descriptor>();

  /** Holds a descriptor. @throws {CallError} if it is a negative error number instead */
  hold(descriptor: Descriptor | number): Descriptor {
    this.#held.add(succeeded(descriptor));
    return descriptor;
  }

  /** Holds one no longer than until now, if it is one of those. */
  release(descriptor: Descriptor): void {
    if (this.#held.delete(descriptor)) closeDescriptor(descriptor);
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#held) this.release(descriptor);
  }
}
