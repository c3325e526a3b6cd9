import { invalidRequest } from "../protocol/errors.ts";
import type { Params, ResultInput } from "../protocol/methods.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import { systemWords } from "./io_error.ts";
import { hostPath, uriOf } from "./named.ts";
import type { Paths, Place } from "./paths.ts";
import { type DirectoryEntry, listDirectory } from "./read_directory.ts";

type WalkOptions = Params<"fs/walk">["options"];

const MAX_DEPTH = 64;
const MAX_DIRECTORIES = 10_000;
const MAX_ENTRIES = 50_000;
/** Bytes of paths and messages in one answer, with so many for each of its items. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const ITEM_BYTES = 64;

/** Names that a URI spells as they are. */
const PLAIN_NAME = /^[\w.-]+$/;

/** A directory that is still to be listed. */
interface Pending {
  readonly uri: PathUri;
  readonly native: string;
  readonly depth: number;
}

/**
 * `fs/walk`: the directories and files below a directory, breadth first, each directory's in the
 * order of their names' bytes. What cannot be listed is among the errors, and the walk goes on.
 *
 * Symbolic links are left out; with `followDirectorySymlinks` those to directories are in, and no
 * directory is entered twice. Everything listed counts against `maxEntries`, also what is left out.
 */
export async function walk(
  { path, options }: Params<"fs/walk">,
  signal: AbortSignal | undefined,
  paths: Paths,
): Promise<ResultInput<"fs/walk">> {
  refuseLimits(options);
  const native = hostPath(path);
  using object = paths.object(native, "look");
  using entry = paths.entry(native, "look");
  const walking = new Walk(options, paths);
  const itself = await entry.stat();
  const target = itself.isSymlink ? await object.stat() : itself;
  if (target.isDirectory && (options.followDirectorySymlinks || !itself.isSymlink)) {
    await walking.run({ uri: path, native: object.name, depth: 0 }, signal);
  }
  return walking.answer;
}

function refuseLimits({ maxDepth, maxDirectories, maxEntries }: WalkOptions): void {
  if (maxDirectories === 0 || maxEntries === 0) {
    throw invalidRequest("filesystem walk limits must be greater than zero");
  }
  if (maxDepth > MAX_DEPTH || maxDirectories > MAX_DIRECTORIES || maxEntries > MAX_ENTRIES) {
    throw invalidRequest(
      `filesystem walk limits exceed maximums: depth=${MAX_DEPTH}, ` +
        `directories=${MAX_DIRECTORIES}, entries=${MAX_ENTRIES}`,
    );
  }
}

/** One walk, from its first directory to the answer. */
class Walk {
  readonly answer: ResultInput<"fs/walk"> = { entries: [], errors: [], truncated: false };
  readonly #options: WalkOptions;
  readonly #paths: Paths;
  readonly #queue: Pending[] = [];
  /** Paths, free of links, of the directories in the queue; kept only where links are followed. */
  readonly #visited = new Set<string>();
  #entries = 0;
  #bytes = 0;

  constructor(options: WalkOptions, paths: Paths) {
    this.#options = options;
    this.#paths = paths;
  }

  async run(root: Pending, signal?: AbortSignal): Promise<void> {
    if (this.#options.followDirectorySymlinks) {
      this.#visited.add(await this.#paths.canonical(root.native));
    }
    this.#queue.push(root);
    // Grows while it is walked along.
    for (const directory of this.#queue) {
      signal?.throwIfAborted();
      if (!await this.#list(directory)) {
        this.answer.truncated = true;
        return;
      }
    }
  }

  /** Returns false if a limit ends the walk. */
  async #list(directory: Pending): Promise<boolean> {
    let listed: DirectoryEntry[];
    let denied: unknown;
    try {
      using place = this.#open(directory);
      listed = await listDirectory(place, this.#paths);
      denied = await searchDenied(place.path);
    } catch (error) {
      return this.#addError(directory.uri.toString(), error);
    }
    const toUri = uriMaker(directory.uri);
    listed.sort((a, b) => compareAsUtf8(a.name, b.name));
    for (const entry of listed) {
      if (this.#entries === this.#options.maxEntries) return false;
      this.#entries++;
      const path = toUri(entry.name);
      const goesOn = denied === undefined
        ? await this.#add(entry, path, directory)
        : this.#addError(path, denied);
      if (!goesOn) return false;
    }
    return true;
  }

  /** What has become a link meanwhile is not followed, unless links are. */
  #open({ native }: Pending): Place {
    return this.#options.followDirectorySymlinks
      ? this.#paths.object(native, "read")
      : this.#paths.entry(native, "read");
  }

  /** Returns false if a limit ends the walk. */
  async #add(entry: DirectoryEntry, path: string, parent: Pending): Promise<boolean> {
    const follows = this.#options.followDirectorySymlinks && entry.isDirectory;
    if (entry.isSymlink && !follows) return true;
    if (!entry.isDirectory && !entry.isFile) return true;
    if (!this.#reserve(path)) return false;
    this.answer.entries.push({ path, kind: entry.isDirectory ? "directory" : "file" });
    return !entry.isDirectory || await this.#enqueue(entry, path, parent);
  }

  /** Returns false if a limit ends the walk. */
  async #enqueue({ name }: DirectoryEntry, path: string, parent: Pending): Promise<boolean> {
    const { maxDepth, maxDirectories, pruneHiddenDirectories } = this.#options;
    if (parent.depth >= maxDepth || (pruneHiddenDirectories && name.startsWith("."))) return true;
    const native = `${parent.native}/${name}`;
    try {
      if (await this.#isVisited(native)) return true;
    } catch (error) {
      return this.#addError(path, error);
    }
    // The rest of what is in the queue is listed all the same.
    if (this.#queue.length === maxDirectories) this.answer.truncated = true;
    else this.#queue.push({ uri: childUri(parent.uri, name), native, depth: parent.depth + 1 });
    return true;
  }

  async #isVisited(directory: string): Promise<boolean> {
    if (!this.#options.followDirectorySymlinks) return false;
    const identity = await this.#paths.canonical(directory);
    const visited = this.#visited.has(identity);
    this.#visited.add(identity);
    return visited;
  }

  /** Returns false if the answer is full. */
  #addError(path: string, error: unknown): boolean {
    const message = systemWords(error) ?? (error instanceof Error ? error.message : String(error));
    if (!this.#reserve(path + message)) return false;
    this.answer.errors.push({ path, message });
    return true;
  }

  /** Returns false if the answer is full. */
  #reserve(text: string): boolean {
    const bytes = this.#bytes + text.length + ITEM_BYTES;
    if (bytes > MAX_ANSWER_BYTES) return false;
    this.#bytes = bytes;
    return true;
  }
}

/** Makes URIs of the names in a directory: most are written faster than they are joined. */
function uriMaker(directory: PathUri): (name: string) => string {
  const start = directory.join("x").toString().slice(0, -1);
  return (name) => PLAIN_NAME.test(name) ? start + name : childUri(directory, name).toString();
}

/** Of a name in a directory, which may be one that is not UTF-8. */
function childUri(directory: PathUri, name: string): PathUri {
  return name.isWellFormed() ? directory.join(name) : uriOf(`${hostPath(directory)}/${name}`);
}

/** The error of whoever may list a directory, but not look at what is in it. */
async function searchDenied(directory: string): Promise<unknown> {
  try {
    await Deno.stat(`${directory}/.`);
  } catch (error) {
    return error;
  }
}

/** Orders texts as their UTF-8 bytes are ordered, which is the order of their code points. */
function compareAsUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const [left, right] = [a.charCodeAt(index), b.charCodeAt(index)];
    if (left === right) continue;
    // A surrogate stands for a character past all that have a code unit of their own.
    const [leftPair, rightPair] = [isSurrogate(left), isSurrogate(right)];
    if (leftPair !== rightPair) return leftPair ? 1 : -1;
    return left - right;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xD800 && unit <= 0xDFFF;
}
