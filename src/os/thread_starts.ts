import { lacksDescriptorsWhileLowered } from "./descriptor_limit.ts";

/** Threads of this program that are beginning. */
let beginning = 0;
let waiting: PromiseWithResolvers<void> | undefined;

/** A thread begins, until what is returned has been disposed of. */
export function threadBegins(): Disposable {
  beginning++;
  const begun = new DisposableStack();
  begun.defer(() => {
    if (--beginning > 0) return;
    waiting?.resolve();
    waiting = undefined;
  });
  return begun;
}

/**
 * Waits for threads that are beginning, where they may lack descriptors while a program is being started: the
 * runtime ends this program if a thread cannot begin.
 */
export async function threadsBegun(): Promise<void> {
  while (beginning > 0 && lacksDescriptorsWhileLowered()) {
    await (waiting ??= Promise.withResolvers()).promise;
  }
}
