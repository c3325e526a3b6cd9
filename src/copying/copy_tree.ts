import { ConnectionError } from "../client/mod.ts";
import { PERMISSION_BITS } from "../protocol/filesystem.ts";
import { PathUri } from "../protocol/path_uri.ts";
import { Budget } from "../filesystem/budget.ts";
import { copyFile, type CopyOptions, type FileAt, keptAttributes } from "./copy_file.ts";
import { type Attributes, type Entry, type FileEnd, SMALL_FILE_BYTES } from "./end.ts";

/** How a directory is copied. */
export interface TreeOptions extends CopyOptions {
  /** Whether files are copied that are there already with the same size, time and permissions. */
  readonly again: boolean;
  /** Told of how many bytes there will be, where that is known. */
  readonly expected: (bytes: number) => void;
  /** Told of a file that has been copied, or was there already. */
  readonly copied: () => void;
  /** Told of what could not be copied, and why. */
  readonly failed: (path: string, error: unknown) => void;
}

/** Bytes of files under way at the same time. */
const FILE_BYTES = 16 * 1024 * 1024;
/** Of a large file so many are under way. */
const LARGE_FILE_COST = 8 * 1024 * 1024;
/** What a file costs besides its bytes. */
const SMALL_FILE_COST = 64 * 1024;
/** Directories that are listed or made at the same time. */
const DIRECTORIES = 8;
/** What it takes to fill a directory. */
const OWNER_BITS = 0o700;

/** The directory that a copy goes into or over. */
export interface ExistingRoot {
  readonly permissions: number | undefined;
  /** Whether what is copied goes into it, and its own permissions and time are left alone. */
  readonly contents: boolean;
}

/** A directory whose copy is not complete. */
interface OpenDirectory {
  readonly from: PathUri;
  readonly to: PathUri;
  readonly attributes: Attributes;
  /** What is in the copy already. */
  readonly existing: ReadonlyMap<string, Entry>;
  readonly parent: OpenDirectory | undefined;
  /** What has to be done before its time is set. */
  pending: number;
}

/** A symbolic link that is still to be made. */
interface PendingLink {
  readonly from: PathUri;
  readonly to: PathUri;
  readonly target: Uint8Array<ArrayBuffer>;
  readonly existing: Entry | undefined;
  readonly directory: OpenDirectory;
}

/**
 * Copies a directory with all that is in it, and goes on after what cannot be copied.
 *
 * Links stay links, and are made last: whatever an executor says is in a directory, nothing is written
 * through a link that came from it.
 */
export class TreeCopy {
  readonly #from: FileEnd;
  readonly #to: FileEnd;
  readonly #options: TreeOptions;
  readonly #files = new Budget(FILE_BYTES);
  readonly #directories = new Budget(DIRECTORIES);
  readonly #links: PendingLink[] = [];
  /** Settles when everything but the links is done. */
  readonly #done = Promise.withResolvers<void>();
  #underWay = 1;
  /** Why nothing more is begun. */
  #lost: ConnectionError | undefined;

  constructor(from: FileEnd, to: FileEnd, options: TreeOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
  }

  /**
   * Copies the directory. Settles when everything that can be copied has been.
   *
   * @param there the directory that the copy is to go into or over; undefined where there is none
   * @throws {ConnectionError} when an executor is lost
   */
  async run(
    from: PathUri,
    attributes: Attributes,
    to: PathUri,
    there: ExistingRoot | undefined,
  ): Promise<void> {
    let existing: ReadonlyMap<string, Entry> = new Map();
    if (there === undefined) await this.#makeDirectory(to, attributes);
    else existing = await this.#listedToFill(to, there.contents ? undefined : there.permissions);
    const root = { from, to, attributes, existing, parent: undefined, pending: 1 };
    await this.#directories.take(1);
    void this.#walk(root).finally(() => this.#ended());
    await this.#done.promise;
    await this.#makeLinks();
    // Its own permissions and time are none of the copy's business.
    if (there?.contents === true) root.pending++;
    await this.#release(root);
    if (this.#lost !== undefined) throw this.#lost;
  }

  /** Whether nothing more is to be begun. */
  get #over(): boolean {
    return this.#lost !== undefined || this.#options.signal.aborted;
  }

  /** Begins what is in a directory, for which there is part of the budget, and gives that back. */
  async #walk(directory: OpenDirectory): Promise<void> {
    try {
      let last: string | undefined;
      for await (const page of this.#from.list(directory.from)) {
        for (const entry of page) {
          if (this.#over) return;
          const from = childOf(directory.from, entry.name, last);
          last = entry.name;
          await this.#begin(directory, entry, from);
        }
      }
    } catch (error) {
      this.#failed(directory.from, error);
    } finally {
      this.#directories.give(1);
    }
  }

  async #begin(directory: OpenDirectory, entry: Entry, from: PathUri): Promise<void> {
    const to = childOf(directory.to, entry.name);
    const existing = directory.existing.get(entry.name);
    const begun = { directory, entry, existing, from, to };
    switch (entry.kind) {
      case "file": {
        const cost = entry.size > SMALL_FILE_BYTES ? LARGE_FILE_COST : entry.size + SMALL_FILE_COST;
        await this.#files.take(cost);
        directory.pending++;
        this.#underWay++;
        void this.#copyFile(begun).finally(() => this.#files.give(cost));
        return;
      }
      case "directory":
        directory.pending++;
        this.#underWay++;
        void this.#copyDirectory(begun);
        return;
      case "symlink":
        directory.pending++;
        this.#links.push({
          from,
          to,
          target: entry.targetBase64 ?? new Uint8Array(),
          existing,
          directory,
        });
        return;
      case "other":
        this.#failed(from, new Error("it is a FIFO, socket or device, and is left out"));
    }
  }

  async #copyFile({ directory, entry, existing, from, to }: Begun): Promise<void> {
    try {
      if (this.#options.again || !isSame(entry, existing)) {
        // What a link leads to is none of the copy's business.
        if (existing?.kind === "symlink") await this.#to.remove(to);
        await copyFile({ end: this.#from, path: from }, entry, this.#at(to), this.#options);
      }
      this.#options.copied();
    } catch (error) {
      this.#failed(from, error);
    } finally {
      await this.#release(directory);
      this.#ended();
    }
  }

  async #copyDirectory({ directory: parent, entry, existing, from, to }: Begun): Promise<void> {
    await this.#directories.take(1);
    const list = await this.#prepare(to, entry, existing)
      .catch((error) => this.#failed(from, error));
    if (list === undefined) {
      this.#directories.give(1);
      await this.#release(parent);
    } else {
      const directory = { from, to, attributes: entry, existing: list, parent, pending: 1 };
      await this.#walk(directory);
      await this.#release(directory);
    }
    this.#ended();
  }

  /** Sees to it that there is a directory that can be filled. Returns what is in it already. */
  async #prepare(
    to: PathUri,
    entry: Entry,
    existing: Entry | undefined,
  ): Promise<ReadonlyMap<string, Entry> | undefined> {
    if (this.#over) return undefined;
    if (existing === undefined) {
      await this.#makeDirectory(to, entry);
      return new Map();
    }
    if (existing.kind === "directory") return await this.#listedToFill(to, existing.permissions);
    throw new Error(`${this.#to.describe(to)} is there already, and is no directory`);
  }

  /** Nobody looks in meanwhile who may not look in later. */
  async #makeDirectory(path: PathUri, attributes: Attributes): Promise<void> {
    await this.#to.makeDirectory(path);
    await this.#makeFillable(path, attributes.permissions);
  }

  async #makeFillable(path: PathUri, permissions: number | undefined): Promise<void> {
    if (permissions === undefined) return;
    const kept = permissions & PERMISSION_BITS | OWNER_BITS;
    await this.#to.setAttributes(path, { permissions: kept });
  }

  /** Several at a time, as files are. */
  async #makeLinks(): Promise<void> {
    const made: Promise<void>[] = [];
    for (const link of this.#links) {
      await this.#files.take(SMALL_FILE_COST);
      if (this.#over) break;
      made.push(this.#makeLink(link).finally(() => this.#files.give(SMALL_FILE_COST)));
    }
    await Promise.all(made);
  }

  async #makeLink({ from, to, target, existing, directory }: PendingLink): Promise<void> {
    try {
      const same = existing?.targetBase64?.toBase64() === target.toBase64();
      if (!same) {
        if (existing !== undefined) await this.#to.remove(to);
        await this.#to.makeLink(to, target);
      }
      this.#options.copied();
    } catch (error) {
      this.#failed(from, error);
    } finally {
      await this.#release(directory);
    }
  }

  /** What is in a directory that is there, once it can be filled. */
  async #listedToFill(
    path: PathUri,
    permissions: number | undefined,
  ): Promise<ReadonlyMap<string, Entry>> {
    const fillable = permissions === undefined || (permissions & OWNER_BITS) === OWNER_BITS;
    if (!fillable) await this.#makeFillable(path, permissions);
    const found = new Map<string, Entry>();
    for await (const page of this.#to.list(path)) {
      for (const entry of page) found.set(entry.name, entry);
    }
    return found;
  }

  #at(path: PathUri): FileAt {
    return { end: this.#to, path };
  }

  /** Part of a directory is complete. When all of it is, it gets its permissions and its time. */
  async #release(directory: OpenDirectory): Promise<void> {
    if (--directory.pending > 0 || this.#over) return;
    try {
      await this.#to.setAttributes(directory.to, keptAttributes(directory.attributes));
    } catch (error) {
      this.#failed(directory.from, error);
    }
    if (directory.parent !== undefined) await this.#release(directory.parent);
  }

  #ended(): void {
    if (--this.#underWay === 0) this.#done.resolve();
  }

  #failed(path: PathUri, error: unknown): void {
    if (this.#over) return;
    if (error instanceof ConnectionError) this.#lost = error;
    else this.#options.failed(this.#from.describe(path), error);
  }
}

interface Begun {
  readonly directory: OpenDirectory;
  readonly entry: Entry;
  readonly existing: Entry | undefined;
  readonly from: PathUri;
  readonly to: PathUri;
}

function isSame(entry: Entry, existing: Entry | undefined): boolean {
  return existing?.kind === "file" && existing.size === entry.size &&
    existing.modifiedAtMs === entry.modifiedAtMs &&
    keptAttributes(existing).permissions === keptAttributes(entry).permissions;
}

/**
 * Something in a directory. An executor could otherwise name what is elsewhere, or the same thing twice.
 *
 * @param last the name before, which has to be another, and less
 * @throws {Error} for what is no name of something in a directory
 */
export function childOf(directory: PathUri, name: string, last?: string): PathUri {
  const child = PathUri.parse(`${directory.toString().replace(/\/$/, "")}/${name}`);
  const isName = name !== "" && !/[/\\]|%2f|%5c/i.test(name) &&
    child.parent()?.equals(directory) === true && (last === undefined || name > last);
  if (!isName) throw new Error(`\`${name}\` is not the name of something in a directory`);
  return child;
}
