/** The permissions that a new file gets but for the umask (open(2), as everybody calls it). */
export const NEW_FILE_MODE = 0o666;

/** A way to a file that does not go by its name. */
export interface FileHold extends Disposable {
  /** Leads functions of the system to the file. */
  readonly path: string;
}

/** A new file, open for writing, that disappears unless it gets finished. */
export class UnfinishedFile implements AsyncDisposable {
  readonly file: Deno.FsFile;
  readonly #name: string;
  readonly #hold: FileHold | undefined;
  #finished = false;

  /** @param hold leads to the file, where its name may be given to another meanwhile */
  constructor(name: string, file: Deno.FsFile, hold?: FileHold) {
    this.#name = name;
    this.file = file;
    this.#hold = hold;
  }

  /**
   * Creates the file.
   *
   * @param mode its permissions, of which the umask takes some
   * @throws the system's error, also if there is something at the path
   */
  static async create(path: string, mode: number): Promise<UnfinishedFile> {
    return new UnfinishedFile(path, await Deno.open(path, { write: true, createNew: true, mode }));
  }

  /** Leads functions of the system to it. */
  get path(): string {
    return this.#hold?.path ?? this.#name;
  }

  /** Finishes it by giving it this name, which whatever had it loses. */
  async moveTo(name: string): Promise<void> {
    await Deno.rename(this.#name, name);
    this.#finished = true;
  }

  /** Finishes it where it is. */
  keep(): void {
    this.#finished = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.file.close();
    this.#hold?.[Symbol.dispose]();
    if (this.#finished) return;
    // The error that led here is the one worth telling.
    await Deno.remove(this.#name).catch(() => {});
  }
}
