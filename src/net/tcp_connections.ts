import { internalError, invalidRequest, notFound, RpcError } from "../protocol/errors.ts";
import { MAX_TCP_BYTES } from "../protocol/tcp.ts";
import type { Params, ResultInput } from "../protocol/methods.ts";
import { closeQuietly, writeAll } from "./connection.ts";

/** Connections that one client may have open. */
export const MAX_TCP_CONNECTIONS = 512;
/** Bytes of a connection's id, as UTF-8. */
const MAX_ID_BYTES = 64;
const READ_BYTES = 64 * 1024;
/** In this order, as a server may listen on one of them alone. */
const LOOPBACK = ["127.0.0.1", "::1"] as const;

/**
 * The connections to ports of this machine's loopback address that a client has open; disposed of with
 * the client's own.
 *
 * What a client asks of one connection is done in the order in which it is asked, so that it need not
 * wait for one answer before it asks for more. It gets no more than it asks for, and its writes are
 * answered when the system has taken them: neither side can fill this program's memory.
 *
 * All methods throw {@linkcode RpcError}.
 */
export class TcpConnections implements Disposable {
  readonly #connections = new Map<string, Promise<TcpConnection>>();
  readonly #over = new AbortController();

  /** `tcp/connect`: under an id of the client's choice. */
  async connect(
    { connectionId, port }: Params<"tcp/connect">,
  ): Promise<ResultInput<"tcp/connect">> {
    if (new TextEncoder().encode(connectionId).length > MAX_ID_BYTES) {
      throw invalidRequest(`connection ID must not exceed ${MAX_ID_BYTES} bytes`);
    }
    if (this.#connections.has(connectionId)) {
      throw invalidRequest(`connection \`${connectionId}\` already exists`);
    }
    if (this.#connections.size >= MAX_TCP_CONNECTIONS) {
      throw invalidRequest(`at most ${MAX_TCP_CONNECTIONS} connections may be open per client`);
    }
    const connecting = connectTo(port, this.#over.signal)
      .then((connection) => new TcpConnection(connection));
    this.#connections.set(connectionId, connecting);
    try {
      await connecting;
      return {};
    } catch (error) {
      if (this.#connections.get(connectionId) === connecting) {
        this.#connections.delete(connectionId);
      }
      throw failure(error);
    }
  }

  /** `tcp/read`: waits until something has come. */
  async read({ connectionId }: Params<"tcp/read">): Promise<ResultInput<"tcp/read">> {
    const connection = await this.#known(connectionId);
    const chunk = await connection.read().catch((error) => this.#broken(connectionId, error));
    return { chunk, eof: chunk === "" };
  }

  /** `tcp/write` */
  async write({ connectionId, chunk }: Params<"tcp/write">): Promise<ResultInput<"tcp/write">> {
    if (chunk.length > MAX_TCP_BYTES) {
      throw invalidRequest(`a tcp/write has at most ${MAX_TCP_BYTES} bytes`);
    }
    const connection = await this.#known(connectionId);
    await connection.write(chunk).catch((error) => this.#broken(connectionId, error));
    return {};
  }

  /** `tcp/closeWrite`: the other side learns that nothing follows what was written. */
  async closeWrite(
    { connectionId }: Params<"tcp/closeWrite">,
  ): Promise<ResultInput<"tcp/closeWrite">> {
    const connection = await this.#known(connectionId);
    await connection.closeWrite().catch((error) => this.#broken(connectionId, error));
    return {};
  }

  /** `tcp/close`: an unknown one is as good as a closed one. */
  close({ connectionId }: Params<"tcp/close">): ResultInput<"tcp/close"> {
    this.#forget(connectionId);
    return {};
  }

  [Symbol.dispose](): void {
    this.#over.abort();
    for (const connectionId of [...this.#connections.keys()]) this.#forget(connectionId);
  }

  async #known(connectionId: string): Promise<TcpConnection> {
    const connection = await this.#connections.get(connectionId)?.catch(() => undefined);
    if (connection === undefined) throw notFound(`unknown connection \`${connectionId}\``);
    return connection;
  }

  #broken(connectionId: string, error: unknown): never {
    this.#forget(connectionId);
    throw failure(error);
  }

  #forget(connectionId: string): void {
    const connecting = this.#connections.get(connectionId);
    this.#connections.delete(connectionId);
    connecting?.then((connection) => connection[Symbol.dispose](), () => {});
  }
}

/** A connection that is read from, and written to, in turns. */
class TcpConnection implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #buffer = new Uint8Array(READ_BYTES);
  #lastRead: Promise<unknown> = Promise.resolve();
  #lastWrite: Promise<unknown> = Promise.resolve();

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    connection.setNoDelay(true);
  }

  /** What has come, in base64; empty at the end. */
  read(): Promise<string> {
    const reading = this.#lastRead.then(async () => {
      const count = await this.#connection.read(this.#buffer);
      return this.#buffer.subarray(0, count ?? 0).toBase64();
    });
    this.#lastRead = reading.catch(() => {});
    return reading;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#inTurn(() => writeAll(this.#connection, bytes));
  }

  closeWrite(): Promise<void> {
    return this.#inTurn(() => this.#connection.closeWrite());
  }

  [Symbol.dispose](): void {
    closeQuietly(this.#connection);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#lastWrite.then(work);
    this.#lastWrite = done.catch(() => {});
    return done;
  }
}

async function connectTo(port: number, signal: AbortSignal): Promise<Deno.TcpConn> {
  let first: unknown;
  for (const hostname of LOOPBACK) {
    try {
      return await Deno.connect({ hostname, port, signal });
    } catch (error) {
      signal.throwIfAborted();
      first ??= error;
    }
  }
  throw first;
}

function failure(error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  return internalError(error instanceof Error ? error.message : String(error), error);
}
