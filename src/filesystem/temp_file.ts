import { closeDescriptor, type Descriptor } from "../os/descriptor.ts";
import { linkDescriptor, Open, openAt, pathTo } from "../os/open_at.ts";
import { remove, rename } from "./named.ts";

/** The permissions that a new file gets but for the umask (open(2), as everybody calls it). */
export const NEW_FILE_MODE = 0o666;

/** A new file, open for writing, that disappears unless it gets finished. */
export class TempFile implements AsyncDisposable {
  readonly file: Deno.FsFile;
  readonly #name: string;
  readonly #descriptor: Descriptor | undefined;
  #state: "nameless" | "named" | "finished";

  private constructor(
    name: string,
    file: Deno.FsFile,
    state: "nameless" | "named",
    descriptor?: Descriptor,
  ) {
    this.#name = name;
    this.file = file;
    this.#state = state;
    this.#descriptor = descriptor;
  }

  /**
   * Creates the file.
   *
   * @param mode its permissions, of which the umask takes some
   * @throws the system's error, also if there is something at the path
   */
  static async create(path: string, mode: number): Promise<TempFile> {
    if (!path.isWellFormed()) return await TempFile.createHeld(path, mode);
    const file = await Deno.open(path, { write: true, createNew: true, mode });
    return new TempFile(path, file, "named");
  }

  /** The same, held by a descriptor: its name may be given to another meanwhile. Linux only. */
  static async createHeld(path: string, mode: number): Promise<TempFile> {
    const flags = Open.WriteOnly | Open.Create | Open.Exclusive | Open.NoFollow;
    const descriptor = openAt(-1, path, flags, mode);
    return await TempFile.#hold(path, descriptor, "named");
  }

  /**
   * Creates the file without a name: it is gone with this program, however that ends, until it is
   * finished. Linux only, and not on all file systems (`O_TMPFILE`, open(2)).
   *
   * @param path the name that it has for a moment when it is finished, in a directory on the same
   * file system as the final one
   * @throws {SystemError} also where the file system has no such files
   */
  static async createNameless(path: string, mode: number): Promise<TempFile> {
    // Not normalized: `..` behind a link leads elsewhere than the text tells.
    const directory = path.slice(0, path.lastIndexOf("/") + 1);
    const descriptor = openAt(-1, directory, Open.WriteOnly | Open.Temporary, mode);
    return await TempFile.#hold(path, descriptor, "nameless");
  }

  static async #hold(
    path: string,
    descriptor: Descriptor,
    state: "nameless" | "named",
  ): Promise<TempFile> {
    try {
      const file = await Deno.open(pathTo(descriptor), { write: true });
      return new TempFile(path, file, state, descriptor);
    } catch (error) {
      closeDescriptor(descriptor);
      if (state === "named") await remove(path, false).catch(() => {});
      throw error;
    }
  }

  /** Leads functions of the system to it. */
  get path(): string {
    return this.#descriptor === undefined ? this.#name : pathTo(this.#descriptor);
  }

  /** Finishes it by giving it this name, which whatever had it loses. */
  async moveTo(name: string): Promise<void> {
    if (this.#state === "nameless" && this.#descriptor !== undefined) {
      linkDescriptor(this.#descriptor, this.#name);
      this.#state = "named";
    }
    await rename(this.#name, name);
    this.#state = "finished";
  }

  /** Finishes it where it is. */
  keep(): void {
    this.#state = "finished";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.file.close();
    if (this.#descriptor !== undefined) closeDescriptor(this.#descriptor);
    // The error that led here is the one worth telling.
    if (this.#state === "named") await remove(this.#name, false).catch(() => {});
  }
}
