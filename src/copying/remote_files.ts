import { delay } from "@std/async/delay";
import { RpcError } from "../protocol/errors.ts";
import { openFailure } from "../protocol/filesystem.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import {
  type Attributes,
  type BlockReader,
  type BlockWriter,
  type NewAttributes,
  ProgressLost,
  type Status,
} from "./end.ts";
import type * as z from "zod/mini";
import { ConnectionError, type ExecServerClient } from "../client/mod.ts";
import { JsonParts } from "../protocol/envelope.ts";
import type { Method, ParamsInput, Result } from "../protocol/methods.ts";
import type { sandboxContext } from "../protocol/sandbox.ts";
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

/** A file that is open at the executor, as long as the connection holds. */
interface Handle {
  readonly id: string;
  /** How often the connection had broken when it was opened. */
  readonly interruptions: number;
}

/** Bytes that are encoded at a time: whole groups of three, whose text is small for the memory's sake. */
const ENCODED_BYTES = 48 * 1024;

/** The requests about files to an executor whose connection may break and come back. */
export class RemoteCalls {
  readonly #options: RemoteOptions;
  #lastHandle = 0;

  /** Makes requests of a client. */
  constructor(options: RemoteOptions) {
    this.#options = options;
  }

  /** What messages call the executor. */
  get name(): string {
    return this.#options.name;
  }

  /** What a path leads to, or with `followLinks` false what is there; undefined for nothing. */
  stat(path: PathUri, followLinks = true): Promise<Status | undefined> {
    return unlessMissing(this.repeat("fs/stat", { path: `${path}`, followLinks }));
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
  async writeBlock({ id }: Handle, offset: number, bytes: Uint8Array): Promise<void> {
    // Base64 needs no escaping; looking for what does takes longer than all the rest.
    const params = new JsonParts([
      `{"handleId":${JSON.stringify(id)},"offset":${offset},"chunk":"`,
      ...base64Parts(bytes),
      '"}',
    ]);
    await this.#options.client.call("fs/writeBlock", params);
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

function base64Parts(bytes: Uint8Array): string[] {
  return Array.from({ length: Math.ceil(bytes.length / ENCODED_BYTES) }, (_, index) => {
    const start = index * ENCODED_BYTES;
    return bytes.subarray(start, start + ENCODED_BYTES).toBase64();
  });
}

/** How often, and for how long in all, a file that another connection still holds is tried, in ms. */
const IN_USE_LOOK_MS = 100;
const IN_USE_MS = 20_000;

/** A file of an executor's that is read; it is opened again when the connection has broken. */
export class RemoteReader implements BlockReader {
  readonly #calls: RemoteCalls;
  readonly #path: PathUri;
  readonly #known: Attributes;
  #handle: Promise<Handle> | undefined;

  private constructor(calls: RemoteCalls, path: PathUri, known: Attributes) {
    this.#calls = calls;
    this.#path = path;
    this.#known = known;
  }

  static async open(calls: RemoteCalls, path: PathUri, known: Attributes): Promise<RemoteReader> {
    const reader = new RemoteReader(calls, path, known);
    await (reader.#handle = reader.#open());
    return reader;
  }

  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    for (;;) {
      const opening = this.#handle ??= this.#reopen();
      const handle = await opening;
      const block = { handleId: handle.id, offset, len: length };
      try {
        return (await this.#calls.once("fs/readBlock", block)).chunk;
      } catch (error) {
        if (!this.#calls.isCut(error) && !this.#calls.isGone(handle)) throw error;
        if (this.#handle === opening) this.#handle = undefined;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const handle = await this.#handle?.catch(() => undefined);
    // The connection's end closes it, too.
    if (handle !== undefined) this.#calls.once("fs/close", { handleId: handle.id }).catch(() => {});
  }

  async #open(): Promise<Handle> {
    for (;;) {
      try {
        return (await this.#calls.open({ path: `${this.#path}` })).handle;
      } catch (error) {
        if (!this.#calls.isCut(error)) throw error;
      }
    }
  }

  /** Two halves of different contents would make a file that never was. */
  async #reopen(): Promise<Handle> {
    const now = await this.#calls.stat(this.#path);
    const { size, modifiedAtMs } = this.#known;
    if (now?.size === size && now.modifiedAtMs === modifiedAtMs) return await this.#open();
    throw new Error("it was changed while it was copied");
  }
}

/** A file of an executor's that is written, and gone on with when the connection has broken. */
export class RemoteWriter implements BlockWriter {
  readonly #calls: RemoteCalls;
  readonly #path: PathUri;
  readonly #key: string;
  /** The end of the last block that was answered for. */
  #written = 0;
  #handle: Promise<Handle>;
  #size = 0;
  /** What was there before. */
  #before: string | undefined;

  private constructor(calls: RemoteCalls, path: PathUri, key: string) {
    this.#calls = calls;
    this.#path = path;
    this.#key = key;
    this.#handle = this.#open();
  }

  static async open(calls: RemoteCalls, path: PathUri, key: string): Promise<RemoteWriter> {
    const writer = new RemoteWriter(calls, path, key);
    const [before] = await Promise.all([calls.stat(path), writer.#handle]);
    writer.#before = before?.identity;
    return writer;
  }

  get size(): number {
    return this.#size;
  }

  async write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (;;) {
      const opening = this.#handle;
      const handle = await opening;
      try {
        await this.#calls.writeBlock(handle, offset, bytes);
        this.#written = Math.max(this.#written, offset + bytes.length);
        return;
      } catch (error) {
        if (!this.#calls.isCut(error) && !this.#calls.isGone(handle)) throw error;
        this.#reopen(opening);
      }
    }
  }

  async commit(size: number, attributes: NewAttributes): Promise<void> {
    for (;;) {
      const opening = this.#handle;
      const handle = await opening;
      try {
        await this.#calls.once("fs/close", { handleId: handle.id, ...attributes });
      } catch (error) {
        if (!this.#calls.isCut(error)) throw error;
      }
      // An unknown handle is as good as a closed one.
      if (!this.#calls.isGone(handle) || await this.#hasBeenCommitted(size)) return;
      this.#reopen(opening);
    }
  }

  async discard(): Promise<void> {
    const handle = await this.#handle.catch(() => undefined);
    if (handle === undefined) return;
    await this.#calls.once("fs/close", { handleId: handle.id, discard: true }).catch(() => {});
  }

  /** Whether there is another file than before, of the right size. */
  async #hasBeenCommitted(size: number): Promise<boolean> {
    const there = await this.#calls.stat(this.#path);
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
        const { handle, size } = await this.#calls.open(file);
        this.#size = size;
        if (size >= this.#written) return handle;
        throw new ProgressLost(`${size} of ${this.#written} bytes are there`);
      } catch (error) {
        if (this.#calls.isCut(error)) continue;
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
