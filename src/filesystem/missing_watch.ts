import { dirname } from "@std/path";
import { waitForFileSystems } from "../os/local_file_systems.ts";
import type { Params } from "../protocol/methods.ts";

/** Paths of one watch; a client that has more to look after asks for them itself. */
const MAX_MISSING = 64;

/**
 * A connection's watch for paths that are not there: it tells when one of them, or a directory on
 * the way to one, has come into being, or the path that has to be there is gone.
 *
 * There is one watch at a time. It tells once and is over then.
 */
export class MissingWatch implements Disposable {
  readonly #changed: (watchId: number) => void;
  #newestId = -1;
  #watcher: Deno.FsWatcher | undefined;

  /** @param changed told the id of a watch when things have changed */
  constructor(changed: (watchId: number) => void) {
    this.#changed = changed;
  }

  /**
   * Begins a watch instead of the one before.
   *
   * @returns whether it watches: not if a path is there or its way is barred, if what has to be
   * there is not, if there are too many paths or none, if the system does not let it, and if the id
   * is not above those before, as the client has changed its mind by then
   */
  async start({ watchId, missing, present }: Params<"fs/watchMissing">): Promise<boolean> {
    if (watchId <= this.#newestId) return false;
    this.#newestId = watchId;
    this.#stop();
    if (missing.length === 0 || missing.length > MAX_MISSING) return false;
    try {
      const paths = missing.map((path) => path.toNativePath());
      const kept = present?.toNativePath();
      await waitForFileSystems(kept === undefined ? paths : [...paths, kept]);
      return watchId === this.#newestId && this.#watch(watchId, paths, kept);
    } catch {
      // Foreign paths, no permission, a loop of links, no more watches to be had: it is all the same
      // to a client, which has to look for itself then.
      return false;
    }
  }

  [Symbol.dispose](): void {
    this.#stop();
    // Nor does one begin that waits for a file system's answer.
    this.#newestId = Infinity;
  }

  #stop(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #watch(watchId: number, missing: readonly string[], present: string | undefined): boolean {
    const gaps = missing.map(gapOf).filter((gap) => gap !== undefined);
    const anchors = new Set(gaps.map(({ directory }) => directory));
    const watched = new Set(anchors);
    if (present !== undefined) {
      anchors.add(present);
      watched.add(dirname(present));
    }
    const identities = [...anchors].map((path) => [path, identityOf(path)] as const);
    const unchanged = () =>
      gaps.every(({ absent }) => isAbsent(absent)) &&
      identities.every(([path, identity]) =>
        identity !== undefined && identityOf(path) === identity
      );
    const watcher = Deno.watchFs([...watched], { recursive: false });
    // Looked at when the watcher is there: what happens from now on it sees.
    if (gaps.length < missing.length || !unchanged()) {
      watcher.close();
      return false;
    }
    this.#watcher = watcher;
    const relevant = new Set([...anchors, ...gaps.map(({ absent }) => absent)]);
    void this.#follow(watchId, watcher, relevant, unchanged);
    return true;
  }

  async #follow(
    watchId: number,
    watcher: Deno.FsWatcher,
    relevant: ReadonlySet<string>,
    unchanged: () => boolean,
  ): Promise<void> {
    // Leaving the loop closes the watcher; one that is closed leaves it by itself.
    for await (const { paths, flag } of watcher) {
      if (this.#watcher !== watcher) continue;
      if (flag !== "rescan" && !paths.some((path) => relevant.has(path))) continue;
      if (unchanged()) continue;
      this.#watcher = undefined;
      this.#changed(watchId);
      return;
    }
  }
}

/** Where a path stops being there. */
interface Gap {
  /** The last directory on the way. */
  readonly directory: string;
  /** The first thing that is not there. */
  readonly absent: string;
}

/** Undefined if the path is there, or something on the way is no directory. */
function gapOf(path: string): Gap | undefined {
  if (!isAbsent(path)) return undefined;
  for (let absent = path;; absent = dirname(absent)) {
    const directory = dirname(absent);
    if (isAbsent(directory)) continue;
    return Deno.statSync(directory).isDirectory ? { directory, absent } : undefined;
  }
}

/** A link that leads nowhere is there. Behind what is no directory, nothing ever is. */
function isAbsent(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    if (error instanceof Deno.errors.NotADirectory) return true;
    throw error;
  }
}

/** Tells apart what has, one after the other, the same name; undefined for nothing, and for a link. */
function identityOf(path: string): string | undefined {
  try {
    const { dev, ino, isSymlink } = Deno.lstatSync(path);
    return isSymlink ? undefined : `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
