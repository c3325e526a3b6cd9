import type * as z from "zod/mini";
import { ConnectionError, type ExecServerClient } from "../client/mod.ts";
import { JsonParts } from "../protocol/envelope.ts";
import type { Method, ParamsInput, Result } from "../protocol/methods.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import type { sandboxContext } from "../protocol/sandbox.ts";
import type { Status } from "./end.ts";
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
export interface Handle {
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
