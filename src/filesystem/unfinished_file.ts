import { type FileHandle, open } from "node:fs/promises";

/** The permissions that a new file gets but for the umask (open(2), as everybody calls it). */
export const NEW_FILE_MODE = 0o666;

/** A new file, open for writing, that disappears unless it gets finished. */
export class UnfinishedFile implements AsyncDisposable {
  readonly path: string;
  readonly file: FileHandle;
  #finished = false;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.file = file;
  }

  /**
   * Creates the file.
   *
   * @param mode its permissions, of which the umask takes some
   * @throws the system's error, also if there is something at the path
   */
  static async create(path: string, mode: number): Promise<UnfinishedFile> {
    return new UnfinishedFile(path, await open(path, "wx", mode));
  }

  /** Finishes it by giving it this name, which whatever had it loses. */
  async moveTo(name: string): Promise<void> {
    await Deno.rename(this.path, name);
    this.#finished = true;
  }

  /** Finishes it where it is. */
  keep(): void {
    this.#finished = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.file.close();
    if (this.#finished) return;
    // The error that led here is the one worth telling.
    await Deno.remove(this.path).catch(() => {});
  }
}
