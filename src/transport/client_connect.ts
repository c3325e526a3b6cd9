import { ConnectionError } from "./client_transport.ts";
import { upgrade } from "./client_upgrade.ts";
import { ClientWebSocket } from "./client_websocket.ts";
import { connectTcp } from "../net/connect_tcp.ts";
import { closeAtAbort, closeQuietly, encrypt, type TlsOptions } from "../net/connection.ts";
import { hostOf } from "../http/url.ts";

/** Where an executor serves WebSockets. */
export type SocketAddress =
  | { readonly kind: "url"; readonly url: URL }
  | { readonly kind: "unix"; readonly path: string };

/** How to connect to an executor over a socket. */
export interface SocketOptions {
  /** Sent as `Authorization: Bearer`. */
  readonly token: string | undefined;
  /** Certificates to be trusted besides the usual ones, in PEM format. */
  readonly caCerts: string[] | undefined;
  /** Silence of the executor after which the connection counts as lost, in milliseconds. */
  readonly silenceLimitMs: number;
}

/**
 * Connects and upgrades to a WebSocket.
 *
 * @throws {ConnectionError} when that fails or the signal aborts
 */
export async function connectSocket(
  address: SocketAddress,
  options: SocketOptions,
  signal: AbortSignal,
): Promise<ClientWebSocket> {
  const connection = await reach(address, options, signal);
  using _closing = closeAtAbort(connection, signal);
  try {
    signal.throwIfAborted();
    const consent = await upgrade(connection, {
      host: address.kind === "url" ? address.url.host : "localhost",
      target: address.kind === "url" ? `${address.url.pathname}${address.url.search}` : "/",
      token: options.token,
    });
    return new ClientWebSocket(connection, consent, options.silenceLimitMs);
  } catch (error) {
    closeQuietly(connection);
    throw connectionError(address, error, signal);
  }
}

async function reach(
  address: SocketAddress,
  options: SocketOptions,
  signal: AbortSignal,
): Promise<Deno.Conn> {
  try {
    if (address.kind === "unix") {
      return await Deno.connect({ transport: "unix", path: address.path });
    }
    const { url } = address;
    const hostname = hostOf(url);
    const port = Number(url.port || (url.protocol === "wss:" ? 443 : 80));
    const connection = await connectTcp({ hostname, port }, signal);
    connection.setNoDelay();
    connection.setKeepAlive();
    if (url.protocol === "ws:") return connection;
    return await encrypted(connection, { hostname, caCerts: options.caCerts }, signal);
  } catch (error) {
    throw connectionError(address, error, signal);
  }
}

/** @throws {ConnectionError} when the server does not encrypt or its certificate is not trusted */
async function encrypted(
  connection: Deno.TcpConn,
  options: TlsOptions,
  signal: AbortSignal,
): Promise<Deno.TlsConn> {
  try {
    return await encrypt(connection, options, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.InvalidData)) throw error;
    throw new ConnectionError("unreachable", error.message, { cause: error, obstacle: "tls" });
  }
}

function connectionError(
  address: SocketAddress,
  error: unknown,
  signal: AbortSignal,
): ConnectionError {
  if (signal.aborted && signal.reason instanceof ConnectionError) return signal.reason;
  const where = address.kind === "url" ? address.url.host : address.path;
  if (error instanceof ConnectionError) {
    const { obstacle } = error;
    return new ConnectionError(error.code, `${where}: ${error.message}`, {
      cause: error,
      obstacle,
    });
  }
  const words = error instanceof Error ? error.message : String(error);
  return new ConnectionError("unreachable", `cannot reach ${where}: ${words}`, { cause: error });
}
