import type { PathUri } from "../protocol/path_uri.ts";
import { InOrder } from "./in_order.ts";

/** Characters of the longest path that any system takes: each byte may be written as three. */
const MAX_SPELLING = 3 * 4096;

/**
 * Makes changes of paths in the order in which they come: one waits for those before it of the same
 * path, and of the directories that it is in.
 *
 * Requests run concurrently, and a small write takes less time than a large one: without an order, the
 * write that a client sends last is the one that is lost. Paths are told apart by their spelling, as
 * to follow links would cost every request the time that it takes.
 */
export class PathChanges {
  readonly #changes = new InOrder();

  /** Whether a change of a path would be made at once. */
  isFree(path: PathUri): boolean {
    return this.#changes.isFree(placesOf(path));
  }

  make<T>(path: PathUri, change: () => Promise<T>): Promise<T> {
    return this.#changes.run(spelling(path), change, placesOf(path));
  }
}

/** The same with a slash at the end and without. */
function spelling(path: PathUri): string {
  return path.toString().replace(/\/+$/, "");
}

/** A path and the directories that it is in. */
function* placesOf(path: PathUri): Generator<string, void> {
  const text = spelling(path);
  if (text.length > MAX_SPELLING) return yield text;
  for (let end = text.length; end > 0; end = text.lastIndexOf("/", end - 1)) {
    yield text.slice(0, end);
  }
}
