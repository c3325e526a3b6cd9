import { rmdirSync } from "node:fs";
import { basename, dirname } from "@std/path/posix";
import { openWithoutLinks, pathTo } from "../../os/open_at.ts";
import { closeDescriptor } from "../../os/descriptor.ts";
import { internalError } from "../../protocol/errors.ts";

/**
 * When a placeholder was last changed, in seconds since 1970: no directory that anyone has put
 * something into or made for themselves has this time, and every filesystem can hold it.
 */
const PLACEHOLDER_TIME = 981_173_106;

/** How often to begin anew while others remove what is being looked at, a millisecond apart. */
const MAX_ATTEMPTS = 100;

/** What came of holding a path. */
export type HoldOutcome =
  /** It is there, and to be released. */
  | "held"
  /** It was there and is nobody's placeholder; there is nothing to release. */
  | "occupied"
  /** Nothing is there, and this user can make nothing there. */
  | "impossible";

/** Told of what is on the disk only for as long as it is held. */
export interface PlaceholderObserver {
  keepDirectory(path: string): void;
  releaseDirectory(path: string): void;
}

/** A directory held in place. */
interface Held {
  /** The open directory, which the lock belongs to. */
  readonly file: Deno.FsFile;
  readonly made: boolean;
  /** How many commands need it. */
  users: number;
}

/**
 * Empty directories where something is missing that a sandboxed command must not make.
 *
 * Only what exists can be mounted over, and whoever removes a directory takes away what others have
 * mounted over it as well (since Linux 3.18). So a placeholder stays on the disk for as long as any
 * command needs it. Executors that share a directory tell each other by a lock on it (flock(2)):
 * the last to let go removes it, if it is still as it was made. Its time of change marks one that
 * was left by an executor that got killed together with its watchdog; the next to need it takes it
 * over, and removes it.
 */
export class Placeholders {
  /** Told of each path once when it is first held, and once when it is let go of. */
  observer: PlaceholderObserver | undefined;
  readonly #held = new Map<string, Held>();

  /**
   * Makes sure that there is something at a path, and that it is not removed as a placeholder until
   * it is released.
   *
   * @throws {RpcError} -32603 if nothing can be made there now, but by the command it could
   */
  hold(path: string): HoldOutcome {
    const held = this.#held.get(path);
    if (held !== undefined) {
      held.users++;
      return "held";
    }
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const found = makeDirectory(path);
      if (found === "occupied" || found === "impossible") return found;
      const file = lockDirectory(path);
      if (file !== undefined) {
        this.#held.set(path, { file, made: found === "made", users: 1 });
        if (found === "made" || isMarked(file)) this.observer?.keepDirectory(path);
        return "held";
      }
      waitAMillisecond();
    }
    throw notProtectable(path, "others keep making and removing it");
  }

  /** Lets go of a path that was held. */
  release(path: string): void {
    const held = this.#held.get(path);
    if (held === undefined || --held.users > 0) return;
    this.#held.delete(path);
    removeIfUnused(path, held);
    held.file.close();
    this.observer?.releaseDirectory(path);
  }

  /** Lets go of everything. */
  releaseAll(): void {
    for (const path of this.#held.keys()) {
      for (let users = this.#held.get(path)?.users ?? 0; users > 0; users--) this.release(path);
    }
  }
}

/** An empty directory that was there before may be the placeholder of another executor. */
function makeDirectory(path: string): "made" | "empty" | "occupied" | "impossible" {
  try {
    // A link on the way has been put there since the path was resolved, and may lead anywhere.
    const parent = openWithoutLinks(dirname(path));
    try {
      const name = `${pathTo(parent)}/${basename(path)}`;
      Deno.mkdirSync(name, { mode: 0o755 });
      Deno.utimeSync(name, PLACEHOLDER_TIME, PLACEHOLDER_TIME);
      return "made";
    } finally {
      closeDescriptor(parent);
    }
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return isEmpty(path) ? "empty" : "occupied";
    if (canNeverBeMade(path, error)) return "impossible";
    throw notProtectable(path, error instanceof Error ? error.message : String(error), error);
  }
}

function isEmpty(path: string): boolean {
  try {
    return Array.from(Deno.readDirSync(path)).length === 0;
  } catch (error) {
    // Gone again: it is the next attempt's to find out.
    return error instanceof Deno.errors.NotFound;
  }
}

/** A directory's owner could let itself write there; someone else could not. */
function canNeverBeMade(path: string, error: unknown): boolean {
  if (hasCode(error, "EROFS")) return true;
  return error instanceof Deno.errors.PermissionDenied &&
    Deno.statSync(dirname(path)).uid !== Deno.uid();
}

/** Opens a directory that then stays in place, or nothing if it is just being removed. */
function lockDirectory(path: string): Deno.FsFile | undefined {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw notProtectable(path, error instanceof Error ? error.message : String(error), error);
  }
  if (tryLock(file, "shared") && isStillAt(path, file)) return file;
  file.close();
  return undefined;
}

function removeIfUnused(path: string, { file, made }: Held): void {
  if (!tryLock(file, "exclusive") || !isStillAt(path, file)) return;
  if (!made && !isMarked(file)) return;
  try {
    rmdirSync(path);
  } catch {
    // Someone has put something into it, or in a directory like /tmp it is another user's.
  }
}

function isMarked(file: Deno.FsFile): boolean {
  return file.statSync().mtime?.getTime() === PLACEHOLDER_TIME * 1000;
}

/** Where a filesystem knows no locks, only executors that share directories would miss them. */
function tryLock(file: Deno.FsFile, kind: "shared" | "exclusive"): boolean {
  try {
    return file.tryLockSync(kind === "exclusive");
  } catch {
    return true;
  }
}

function isStillAt(path: string, file: Deno.FsFile): boolean {
  try {
    const [there, opened] = [Deno.lstatSync(path), file.statSync()];
    return there.dev === opened.dev && there.ino === opened.ino;
  } catch {
    return false;
  }
}

function waitAMillisecond(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function notProtectable(path: string, why: string, cause?: unknown) {
  return internalError(`cannot keep '${path}' from being made by the command: ${why}`, cause);
}
