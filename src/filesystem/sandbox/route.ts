import {
  closeDescriptor,
  type Descriptor,
  isOnProc,
  linkText,
  Open,
  openAt,
  pathTo,
} from "../linux/descriptors.ts";
import { SystemError } from "../linux/system_error.ts";
import { isNotFound } from "../io_error.ts";
import { isProcessesPath, type Judge } from "./judge.ts";

/** As many links as the kernel follows before it gives up (path_resolution(7)). */
const MAX_LINKS = 40;

/** A directory on the way, or what is at the way's end. */
interface Step {
  readonly descriptor: Descriptor;
  /** Absolute, with every link on the way resolved. */
  readonly path: string;
}

/** Where a path led, held by descriptors: it stays that, whatever becomes of the names. */
export class Route implements Disposable {
  /** Free of links: the one that says what may be done. */
  readonly path: string;
  /** What the path leads to, or undefined if there is nothing in the directory. */
  readonly object: Descriptor | undefined;
  readonly #directory: Descriptor;

  private constructor(directory: Step, object: Step | undefined, path: string) {
    this.#directory = directory.descriptor;
    this.object = object?.descriptor;
    this.path = path;
  }

  /**
   * Goes along an absolute path, one name after the other, and never through a link that the kernel
   * would follow on its own: what a link says is read and gone along in the same way.
   *
   * Only `..` is not asked of the kernel. It leads back to where the way came from, so that moving a
   * directory meanwhile leads nobody out of it.
   *
   * @throws {RpcError} at the first name that may not even be passed, whether it is there or not
   * @throws {SystemError} if something on the way is missing or no directory
   */
  static along(path: string, judge: Judge, { followLast }: { followLast: boolean }): Route {
    const root = { descriptor: openAt(-1, "/", Open.PathOnly | Open.Directory), path: "/" };
    const walk = new Walk(root, judge);
    try {
      const missing = walk.go(path, followLast);
      return walk.end(([directory, object]) => new Route(directory, object, missing ?? object.path));
    } catch (error) {
      walk.abandon();
      throw error;
    }
  }
}
