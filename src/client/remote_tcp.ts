import { toBase64 } from "../protocol/base64.ts";
import type { RpcConnection } from "./rpc_connection.ts";

/** Reads that are asked for ahead: few while little comes, more while much does. */
const MIN_AHEAD = 2;
const MAX_AHEAD = 32;
/** What the executor gives at the most, in bytes: more is to be had then. */
const FULL_READ = 64 * 1024;
/** Bytes that may be written without an answer. */
const MAX_UNANSWERED = 2 * 1024 * 1024;

/** A connection from the executor's machine to a port of its loopback address. It ends with the client's. */
export class RemoteTcpConnection {
  readonly #rpc: RpcConnection;
  readonly #connectionId: string;
  readonly #reads: Promise<{ readonly chunk: Uint8Array<ArrayBuffer>; readonly eof: boolean }>[] =
    [];
  #ahead = MIN_AHEAD;
  #ended = false;
  #unanswered = 0;
  #failure: { readonly error: unknown } | undefined;
  #writes = new Set<Promise<void>>();

  private constructor(rpc: RpcConnection, connectionId: string) {
    this.#rpc = rpc;
    this.#connectionId = connectionId;
  }

  /**
   * Connects to a port of the executor's loopback address.
   *
   * @throws {RpcError} when nothing listens there, or the executor does not allow it
   */
  static async connect(rpc: RpcConnection, port: number): Promise<RemoteTcpConnection> {
    const connectionId = crypto.randomUUID();
    await rpc.call("tcp/connect", { connectionId, port });
    return new RemoteTcpConnection(rpc, connectionId);
  }

  /** What has come since the last read, or null at the end. @throws {Error} when the connection breaks */
  async read(): Promise<Uint8Array<ArrayBuffer> | null> {
    if (this.#ended) return null;
    while (this.#reads.length < this.#ahead) this.#ask();
    const { chunk, eof } = await this.#reads.shift() ?? { chunk: new Uint8Array(), eof: true };
    const more = chunk.length === FULL_READ ? this.#ahead * 2 : this.#ahead - 1;
    this.#ahead = Math.max(MIN_AHEAD, Math.min(MAX_AHEAD, more));
    if (!eof) return chunk;
    this.#ended = true;
    return null;
  }

  /** Writes bytes. Settles when more may follow. @throws {Error} when the connection has broken */
  async write(bytes: Uint8Array): Promise<void> {
    const { length } = bytes;
    this.#unanswered += length;
    const connectionId = this.#connectionId;
    const write = this.#rpc.call("tcp/write", { connectionId, chunk: toBase64(bytes) })
      .then(() => {}, (error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#unanswered -= length;
        this.#writes.delete(write);
      });
    this.#writes.add(write);
    while (this.#unanswered > MAX_UNANSWERED) await Promise.race(this.#writes);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Tells the other side that nothing follows. Settles when all has been written. */
  async closeWrite(): Promise<void> {
    await Promise.all(this.#writes);
    if (this.#failure !== undefined) throw this.#failure.error;
    await this.#rpc.call("tcp/closeWrite", { connectionId: this.#connectionId });
  }

  /** Ends the connection in both directions. */
  close(): void {
    this.#ended = true;
    this.#rpc.call("tcp/close", { connectionId: this.#connectionId }).catch(() => {});
  }

  #ask(): void {
    const read = this.#rpc.call("tcp/read", { connectionId: this.#connectionId });
    // Whoever reads next is told.
    read.catch(() => {});
    this.#reads.push(read);
  }
}
