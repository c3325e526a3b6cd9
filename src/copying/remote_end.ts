import type { PathUri } from "../protocol/path_uri.ts";
import {
  type Attributes,
  type BlockReader,
  type BlockWriter,
  type Entry,
  type FileEnd,
  type NewAttributes,
  SMALL_FILE_BYTES,
  type Status,
} from "./end.ts";
import { RemoteCalls, type RemoteOptions, RemoteReader, RemoteWriter } from "./remote_files.ts";

/** The files of an executor's machine. */
export class RemoteEnd implements FileEnd {
  readonly #calls: RemoteCalls;

  constructor(options: RemoteOptions) {
    this.#calls = new RemoteCalls(options);
  }

  describe(path: PathUri): string {
    const { name } = this.#calls;
    // As the command line has it.
    return `${name}${name.includes("://") ? "" : ":"}${nativeText(path)}`;
  }

  stat(path: PathUri, followLinks?: boolean): Promise<Status | undefined> {
    return this.#calls.stat(path, followLinks);
  }

  async canonical(path: PathUri): Promise<PathUri> {
    return (await this.#calls.repeat("fs/canonicalize", { path: `${path}` })).path;
  }

  async *list(path: PathUri): AsyncGenerator<readonly Entry[]> {
    let after: string | undefined;
    for (;;) {
      const page = await this.#calls.repeat("fs/list", { path: `${path}`, after });
      yield page.entries;
      after = page.entries.at(-1)?.name;
      if (!page.more || after === undefined) return;
    }
  }

  async readFile(path: PathUri): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { dataBase64 } = await this.#calls.repeat("fs/readFile", { path: `${path}` });
    return dataBase64.length > SMALL_FILE_BYTES ? undefined : dataBase64;
  }

  async writeFile(
    path: PathUri,
    bytes: Uint8Array<ArrayBuffer>,
    attributes: NewAttributes,
  ): Promise<void> {
    const content = { path: `${path}`, dataBase64: bytes.toBase64() };
    await this.#calls.repeat("fs/writeFile", { ...content, ...attributes });
  }

  openToRead(path: PathUri, known: Attributes): Promise<BlockReader> {
    return RemoteReader.open(this.#calls, path, known);
  }

  openToWrite(path: PathUri, key: string): Promise<BlockWriter> {
    return RemoteWriter.open(this.#calls, path, key);
  }

  async makeDirectory(path: PathUri): Promise<void> {
    await this.#calls.repeat("fs/createDirectory", { path: `${path}` });
  }

  async makeLink(path: PathUri, target: Uint8Array<ArrayBuffer>): Promise<void> {
    const targetBase64 = target.toBase64();
    let repeated = false;
    const again = () => repeated = true;
    try {
      await this.#calls.repeat("fs/symlink", { path: `${path}`, targetBase64 }, again);
    } catch (error) {
      // What could not be answered may have been done.
      const there = repeated ? await this.stat(path, false) : undefined;
      if (there?.targetBase64?.toBase64() !== targetBase64) throw error;
    }
  }

  async setAttributes(path: PathUri, attributes: NewAttributes): Promise<void> {
    await this.#calls.repeat("fs/setAttributes", { path: `${path}`, ...attributes });
  }

  async remove(path: PathUri): Promise<void> {
    await this.#calls.repeat("fs/remove", { path: `${path}`, recursive: false, force: true });
  }
}

/** The path as the executor's system writes it; its URI where that is no text. */
function nativeText(path: PathUri): string {
  try {
    return path.toNativePath(path.convention);
  } catch {
    return path.toString();
  }
}
