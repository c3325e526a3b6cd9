import type * as z from "zod/mini";
import { delay } from "@std/async/delay";
import { ConnectionError, type ExecServerClient } from "../client/mod.ts";
import { JsonText } from "../protocol/envelope.ts";
import { RpcError } from "../protocol/errors.ts";
import { openFailure } from "../protocol/filesystem.ts";
import type { Method, ParamsInput, Result } from "../protocol/methods.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import type { sandboxContext } from "../protocol/sandbox.ts";
import {
  type Attributes,
  type BlockReader,
  type BlockWriter,
  type Entry,
  type FileEnd,
  type NewAttributes,
  ProgressLost,
  SMALL_FILE_BYTES,
  type Status,
} from "./end.ts";
import { unlessMissing } from "./local_end.ts";

/** The methods whose second call changes nothing that the first has not. */
type RepeatableMethod = Extract<Method, `fs/${string}`>;

/** How an executor's files are used. */
export interface RemoteOptions {
  readonly client: ExecServerClient;
  /** How often the connection has broken, so that what belonged to it is known to be gone. */
  readonly interruptions: () => number;
  /** What messages call the executor. */
  readonly name: string;
  readonly sandbox?: z.input<typeof sandboxContext> | undefined;
}

/** How often, and for how long in all, a file that another connection still holds is tried, in ms. */
const IN_USE_LOOK_MS = 100;
const IN_USE_MS = 20_000;

/** The files of an executor's machine. */
export class RemoteEnd implements FileEnd {
  readonly #options: RemoteOptions;
  #lastHandle = 0;

  constructor(options: RemoteOptions) {
    this.#options = options;
  }

  describe(path: PathUri): string {
    return `${this.#options.name}:${nativeText(path)}`;
  }

  stat(path: PathUri, followLinks = true): Promise<Status | undefined> {
    return unlessMissing(this.repeat("fs/stat", { path: `${path}`, followLinks }));
  }

  async canonical(path: PathUri): Promise<PathUri> {
    return (await this.repeat("fs/canonicalize", { path: `${path}` })).path;
  }

  async *list(path: PathUri): AsyncGenerator<readonly Entry[]> {
    let after: string | undefined;
    for (;;) {
      const page = await this.repeat("fs/list", { path: `${path}`, after });
      yield page.entries;
      after = page.entries.at(-1)?.name;
      if (!page.more || after === undefined) return;
    }
  }

  async readFile(path: PathUri): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { dataBase64 } = await this.repeat("fs/readFile", { path: `${path}` });
    return dataBase64.length > SMALL_FILE_BYTES ? undefined : dataBase64;
  }

  async writeFile(
    path: PathUri,
    bytes: Uint8Array<ArrayBuffer>,
    attributes: NewAttributes,
  ): Promise<void> {
    const content = { path: `${path}`, dataBase64: bytes.toBase64() };
    await this.repeat("fs/writeFile", { ...content, ...attributes });
  }

  openToRead(path: PathUri, known: Attributes): Promise<BlockReader> {
    return RemoteReader.open(this, path, known);
  }

  openToWrite(path: PathUri, key: string): Promise<BlockWriter> {
    return RemoteWriter.open(this, path, key);
  }

  async makeDirectory(path: PathUri): Promise<void> {
    await this.repeat("fs/createDirectory", { path: `${path}` });
  }

  async makeLink(path: PathUri, target: Uint8Array<ArrayBuffer>): Promise<void> {
    const targetBase64 = target.toBase64();
    let repeated = false;
    const again = () => repeated = true;
    try {
      await this.repeat("fs/symlink", { path: `${path}`, targetBase64 }, again);
    } catch (error) {
      // What could not be answered may have been done.
      const there = repeated ? await this.stat(path, false) : undefined;
      if (there?.targetBase64?.toBase64() !== targetBase64) throw error;
    }
  }

  async setAttributes(path: PathUri, attributes: NewAttributes): Promise<void> {
    await this.repeat("fs/setAttributes", { path: `${path}`, ...attributes });
  }

  async remove(path: PathUri): Promise<void> {
    await this.repeat("fs/remove", { path: `${path}`, recursive: false, force: true });
  }

  /** Opens a file. Its size is that of what there is to go on with. */
  async open(
    params: Omit<ParamsInput<"fs/open">, "handleId">,
  ): Promise<{ readonly handle: Handle; readonly size: number }> {
    const id = `${++this.#lastHandle}`;
    const { size } = await this.once("fs/open", { handleId: id, ...params });
    return { handle: { id, interruptions: this.#options.interruptions() }, size: size ?? 0 };
  }

  /** Whether a handle went with the connection that it was opened over. */
  isGone({ interruptions }: Handle): boolean {
    return interruptions !== this.#options.interruptions();
  }

  /**
   * Makes a request, over the next connection once more if it has no answer.
   *
   * @param again called before it is made once more
   */
  async repeat<M extends RepeatableMethod>(
    method: M,
    params: ParamsInput<M>,
    again?: () => void,
  ): Promise<Result<M>> {
    for (;;) {
      try {
        return await this.once(method, params);
      } catch (error) {
        if (!this.isCut(error)) throw error;
        again?.();
      }
    }
  }

  /** Writes a block to a file that is open. */
  async writeBlock({ id }: Handle, offset: number, chunk: string): Promise<void> {
    const handleId = JSON.stringify(id);
    // Base64 needs no escaping; looking for what does takes longer than all the rest.
    const params = `{"handleId":${handleId},"offset":${offset},"chunk":"${chunk}"}`;
    await this.#options.client.call("fs/writeBlock", new JsonText(params));
  }

  /** Makes a request. */
  once<M extends RepeatableMethod>(method: M, params: ParamsInput<M>): Promise<Result<M>> {
    const { client, sandbox } = this.#options;
    return client.call(method, sandbox === undefined ? params : { ...params, sandbox });
  }

  /** Whether a request has no answer because the connection broke, which comes back. */
  isCut(error: unknown): boolean {
    return error instanceof ConnectionError && this.#options.client.state !== "ended";
  }
}

/** A file that is open at the executor, as long as the connection holds. */
interface Handle {
  readonly id: string;
  /** How often the connection had broken when it was opened. */
  readonly interruptions: number;
}

class RemoteReader implements BlockReader {
  readonly #end: RemoteEnd;
  readonly #path: PathUri;
  readonly #known: Attributes;
  #handle: Promise<Handle> | undefined;

  private constructor(end: RemoteEnd, path: PathUri, known: Attributes) {
    this.#end = end;
    this.#path = path;
    this.#known = known;
  }

  static async open(end: RemoteEnd, path: PathUri, known: Attributes): Promise<RemoteReader> {
    const reader = new RemoteReader(end, path, known);
    await (reader.#handle = reader.#open());
    return reader;
  }

  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    for (;;) {
      const opening = this.#handle ??= this.#reopen();
      const handle = await opening;
      const block = { handleId: handle.id, offset, len: length };
      try {
        return (await this.#end.once("fs/readBlock", block)).chunk;
      } catch (error) {
        if (!this.#end.isCut(error) && !this.#end.isGone(handle)) throw error;
        if (this.#handle === opening) this.#handle = undefined;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const handle = await this.#handle?.catch(() => undefined);
    // The connection's end closes it, too.
    if (handle !== undefined) this.#end.once("fs/close", { handleId: handle.id }).catch(() => {});
  }

  async #open(): Promise<Handle> {
    for (;;) {
      try {
        return (await this.#end.open({ path: `${this.#path}` })).handle;
      } catch (error) {
        if (!this.#end.isCut(error)) throw error;
      }
    }
  }

  /** Two halves of different contents would make a file that never was. */
  async #reopen(): Promise<Handle> {
    const now = await this.#end.stat(this.#path);
    const { size, modifiedAtMs } = this.#known;
    if (now?.size === size && now.modifiedAtMs === modifiedAtMs) return await this.#open();
    throw new Error("it was changed while it was copied");
  }
}

class RemoteWriter implements BlockWriter {
  readonly #end: RemoteEnd;
  readonly #path: PathUri;
  readonly #key: string;
  /** The end of the last block that was answered for. */
  #written = 0;
  #handle: Promise<Handle>;
  #size = 0;
  /** What was there before. */
  #before: string | undefined;

  private constructor(end: RemoteEnd, path: PathUri, key: string) {
    this.#end = end;
    this.#path = path;
    this.#key = key;
    this.#handle = this.#open();
  }

  static async open(end: RemoteEnd, path: PathUri, key: string): Promise<RemoteWriter> {
    const writer = new RemoteWriter(end, path, key);
    const [before] = await Promise.all([end.stat(path), writer.#handle]);
    writer.#before = before?.identity;
    return writer;
  }

  get size(): number {
    return this.#size;
  }

  async write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const chunk = bytes.toBase64();
    for (;;) {
      const opening = this.#handle;
      const handle = await opening;
      try {
        await this.#end.writeBlock(handle, offset, chunk);
        this.#written = Math.max(this.#written, offset + bytes.length);
        return;
      } catch (error) {
        if (!this.#end.isCut(error) && !this.#end.isGone(handle)) throw error;
        this.#reopen(opening);
      }
    }
  }

  async commit(size: number, attributes: NewAttributes): Promise<void> {
    for (;;) {
      const opening = this.#handle;
      const handle = await opening;
      try {
        await this.#end.once("fs/close", { handleId: handle.id, ...attributes });
      } catch (error) {
        if (!this.#end.isCut(error)) throw error;
      }
      // An unknown handle is as good as a closed one.
      if (!this.#end.isGone(handle) || await this.#hasBeenCommitted(size)) return;
      this.#reopen(opening);
    }
  }

  async discard(): Promise<void> {
    const handle = await this.#handle.catch(() => undefined);
    if (handle === undefined) return;
    await this.#end.once("fs/close", { handleId: handle.id, discard: true }).catch(() => {});
  }

  /** Whether there is another file than before, of the right size. */
  async #hasBeenCommitted(size: number): Promise<boolean> {
    const there = await this.#end.stat(this.#path);
    return there?.identity !== undefined && there.identity !== this.#before && there.size === size;
  }

  /** Opens it once more, if nobody has begun to since the handle turned out to be gone. */
  #reopen(gone: Promise<Handle>): void {
    if (this.#handle !== gone) return;
    this.#handle = this.#open();
    // Whoever writes next is told.
    this.#handle.catch(() => {});
  }

  async #open(): Promise<Handle> {
    const deadline = performance.now() + IN_USE_MS;
    const file = { path: `${this.#path}`, mode: "resume", resumeKey: this.#key } as const;
    for (;;) {
      try {
        const { handle, size } = await this.#end.open(file);
        this.#size = size;
        if (size >= this.#written) return handle;
        throw new ProgressLost(`${size} of ${this.#written} bytes are there`);
      } catch (error) {
        if (this.#end.isCut(error)) continue;
        // The executor may not have noticed yet that the connection before has broken.
        if (!isInUse(error) || performance.now() > deadline) throw error;
        await delay(IN_USE_LOOK_MS);
      }
    }
  }
}

function isInUse(error: unknown): boolean {
  return error instanceof RpcError && openFailure.safeParse(error.data).success;
}

/** The path as the executor's system writes it; its URI where that is no text. */
function nativeText(path: PathUri): string {
  try {
    return path.toNativePath(path.convention);
  } catch {
    return path.toString();
  }
}
