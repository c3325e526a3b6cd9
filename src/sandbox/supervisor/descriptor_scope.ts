import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { succeeded } from "./call_error.ts";

/** Descriptors that are held while one call is served. */
export class DescriptorScope implements Disposable {
  readonly #held: Descriptor[] = [];

  /** Holds a descriptor. @throws {CallError} if it is a negative error number instead */
  hold(descriptor: Descriptor | number): Descriptor {
    this.#held.push(succeeded(descriptor));
    return descriptor;
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#held.splice(0)) closeDescriptor(descriptor);
  }
}
