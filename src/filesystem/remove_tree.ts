import { setImmediate } from "node:timers/promises";
import { closeDescriptor, type Descriptor } from "../os/descriptor.ts";
import {
  directoryEntries,
  EntryType,
  type NamedEntry,
  undecodableEntries,
} from "../os/directory_entries.ts";
import { SystemError } from "../os/errno.ts";
import { knownStatusOf } from "../os/file_status.ts";
import { isLocal } from "../os/local_file_systems.ts";
import { rmdirAt, unlinkAt } from "../os/names.ts";
import { isPathTo, Open, openAt, openAtElsewhere, pathTo } from "../os/open_at.ts";
import { systemErrorCode } from "./io_error.ts";

/** How long the thread is kept before others get their turn, in milliseconds. */
const TURN_MS = 5;
const LISTED = Open.ReadOnly | Open.Directory | Open.NoFollow;
const HELD = Open.PathOnly | Open.Directory;

/** A directory on the way from the root of the tree to where the removal is. */
interface Level {
  /** In the directory above. */
  readonly name: string;
  readonly device: number;
  readonly inode: bigint;
  /** Names of directories in it that are still to be removed. */
  readonly directories: string[];
}

/** What of the system a removal takes: done at once, or by threads that may be held up. */
interface Calls {
  open(directory: Descriptor, name: string, flags: number): Descriptor | Promise<Descriptor>;
  list(directory: Descriptor): Iterable<NamedEntry> | AsyncIterable<NamedEntry>;
  unlink(directory: Descriptor, name: string): void | Promise<void>;
  rmdir(directory: Descriptor, name: string): void | Promise<void>;
}

const direct: Calls = { open: openAt, list: directoryEntries, unlink: unlinkAt, rmdir: rmdirAt };

/** For file systems that may not answer. */
const elsewhere: Calls = {
  open: openAtElsewhere,
  async *list(directory) {
    const path = pathTo(directory);
    for await (const { name, isDirectory } of Deno.readDir(path)) {
      yield { name, type: isDirectory ? EntryType.Directory : EntryType.File };
    }
    yield* undecodableEntries(path);
  },
  unlink: (directory, name) =>
    name.isWellFormed() ? Deno.remove(`${pathTo(directory)}/${name}`) : unlinkAt(directory, name),
  rmdir: (directory, name) =>
    name.isWellFormed() ? Deno.remove(`${pathTo(directory)}/${name}`) : rmdirAt(directory, name),
};

/**
 * Removes what is in a directory, however deep it is nested. Neither the stack nor the number of open
 * files grows with the depth: the way back up is `..`, which has to lead to the directory from
 * which it went down. No link is followed. Linux only.
 *
 * @param path of a directory; a link at its end is not followed
 * @throws the system's error; EBUSY if somebody moves a directory meanwhile
 */
export async function emptyDirectory(path: string): Promise<void> {
  // Whoever has opened the way to it has had an answer, and is on a thread that may be held up.
  const calls = isPathTo(path) || await isLocal(path) ? direct : elsewhere;
  using removal = new TreeRemoval(await calls.open(-1, path, LISTED), calls);
  await removal.run();
}

/** One removal. */
class TreeRemoval implements Disposable {
  readonly #calls: Calls;
  readonly #levels: Level[] = [];
  #at: Descriptor;
  #turnEnds = performance.now() + TURN_MS;

  constructor(root: Descriptor, calls: Calls) {
    this.#at = root;
    this.#calls = calls;
  }

  [Symbol.dispose](): void {
    closeDescriptor(this.#at);
  }

  async run(): Promise<void> {
    await this.#enter("");
    for (;;) {
      const level = this.#levels.at(-1);
      if (level === undefined) return;
      const name = level.directories.pop();
      if (name !== undefined) {
        if (!await this.#removeEntry(name, true)) await this.#descend(name);
      } else if (this.#levels.length === 1) {
        return;
      } else {
        await this.#climb(level.name);
      }
      await this.#yield();
    }
  }

  /** Removes what is no directory where it now is, and remembers the directories. */
  async #enter(name: string): Promise<void> {
    const { device, inode } = knownStatusOf(this.#at);
    const directories: string[] = [];
    for await (const entry of this.#calls.list(this.#at)) {
      const isDirectory = entry.type === EntryType.Directory;
      if (isDirectory || !await this.#removeEntry(entry.name, false)) directories.push(entry.name);
      await this.#yield();
    }
    this.#levels.push({ name, device, inode, directories });
  }

  async #descend(name: string): Promise<void> {
    let inner: Descriptor;
    try {
      inner = await this.#calls.open(this.#at, name, LISTED);
    } catch (error) {
      if (systemErrorCode(error) === "ENOENT") return;
      throw error;
    }
    this.#moveTo(inner);
    await this.#enter(name);
  }

  /** Goes back up and removes the directory, which is empty by now. */
  async #climb(name: string): Promise<void> {
    this.#levels.pop();
    const above = this.#levels.at(-1);
    this.#moveTo(await this.#calls.open(this.#at, "..", HELD));
    const { device, inode } = knownStatusOf(this.#at);
    if (device !== above?.device || inode !== above.inode) throw new SystemError("EBUSY");
    if (!await this.#removeEntry(name, true)) throw new SystemError("ENOTEMPTY");
  }

  /** Returns false if it is a directory with something in it, or has turned out to be one. */
  async #removeEntry(name: string, isDirectory: boolean): Promise<boolean> {
    try {
      if (isDirectory) await this.#calls.rmdir(this.#at, name);
      else await this.#calls.unlink(this.#at, name);
      return true;
    } catch (error) {
      switch (systemErrorCode(error)) {
        case "ENOENT":
          return true;
        case "ENOTEMPTY":
        case "EEXIST":
        case "EISDIR":
          return false;
        case "ENOTDIR":
          if (isDirectory) return await this.#removeEntry(name, false);
      }
      throw error;
    }
  }

  #moveTo(directory: Descriptor): void {
    closeDescriptor(this.#at);
    this.#at = directory;
  }

  async #yield(): Promise<void> {
    if (performance.now() < this.#turnEnds) return;
    await setImmediate();
    this.#turnEnds = performance.now() + TURN_MS;
  }
}
