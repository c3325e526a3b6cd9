import { ConnectionError } from "./client_transport.ts";
import { ClientWebSocket } from "./client_websocket.ts";
import {
  closeAtAbort,
  closeQuietly,
  connectTcp,
  encrypt,
  type TlsOptions,
  writeAll,
} from "../net/connection.ts";
import { hostOf } from "../http/url.ts";
import { toBase64 } from "../protocol/base64.ts";
import { ConnectionReader, UnexpectedEnd } from "../http/connection_reader.ts";
import { HttpFailure } from "../http/request.ts";
import { readResponseHead, type ResponseHead } from "../http/response.ts";
import { CWD_HEADER } from "../protocol/lifecycle.ts";

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

/** A request to upgrade to a WebSocket. */
export interface UpgradeRequest {
  /** The Host header: name and port. */
  readonly host: string;
  /** Path and query. */
  readonly target: string;
  /** Sent as `Authorization: Bearer`. */
  readonly token: string | undefined;
}

/** A server's acceptance of a WebSocket. */
export interface UpgradeConsent {
  /** The working directory that the executor announces: a path URI, not parsed yet. */
  readonly executorCwd: string | undefined;
  /** The bytes that arrived after the head. */
  readonly early: Uint8Array;
}

/** The constant that both sides add to the key (RFC 6455, section 1.3). */
const HANDSHAKE_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** Largest head of a WebSocket server's response, in bytes. */
const MAX_HEAD_BYTES = 16 * 1024;
/** How many characters of a refusal's body are shown. */
const MAX_SHOWN_BODY = 200;

/**
 * Asks the server at the other end for a WebSocket (RFC 6455, section 4.1).
 *
 * @throws {ConnectionError} when it refuses, or is no WebSocket server
 */
export async function upgrade(
  connection: Deno.Conn,
  request: UpgradeRequest,
): Promise<UpgradeConsent> {
  const key = toBase64(crypto.getRandomValues(new Uint8Array(16)));
  await writeAll(connection, new TextEncoder().encode(requestHead(request, key)));
  const reader = new ConnectionReader(connection);
  const { status, headers } = await readHead(reader);
  if (status !== 101) throw refusal(status, reader.takeUnread());
  const valueOf = (wanted: string) => headers.find(({ name }) => name === wanted)?.value;
  if (valueOf("sec-websocket-accept") !== await expectedAccept(key)) {
    throw new ConnectionError("notAnExecutor", "the server's WebSocket handshake is wrong");
  }
  return { executorCwd: valueOf(CWD_HEADER), early: reader.takeUnread() };
}

function requestHead({ host, target, token }: UpgradeRequest, key: string): string {
  const lines = [
    `GET ${target} HTTP/1.1`,
    `Host: ${host}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${key}`,
  ];
  if (token !== undefined) lines.push(`Authorization: Bearer ${token}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}

async function readHead(reader: ConnectionReader): Promise<ResponseHead> {
  try {
    return await readResponseHead(reader, MAX_HEAD_BYTES);
  } catch (error) {
    if (error instanceof UnexpectedEnd) {
      throw new ConnectionError("unreachable", "the server closed the connection at once", {
        cause: error,
      });
    }
    if (!(error instanceof HttpFailure)) throw error;
    throw new ConnectionError("notAnExecutor", "the server answered something else than HTTP", {
      cause: error,
      obstacle: "notHttp",
    });
  }
}

/** The error for a refusal. A server that is busy or shutting down may be tried again. */
function refusal(status: number, body: Uint8Array): ConnectionError {
  const words = new TextDecoder().decode(body).trim().slice(0, MAX_SHOWN_BODY);
  const said = words === "" ? "" : `: ${words}`;
  if (status === 401) {
    return new ConnectionError(
      "unauthorized",
      `the executor did not accept the token (401)${said}`,
      { obstacle: "token" },
    );
  }
  if (status === 403) {
    return new ConnectionError("unauthorized", `the executor refused the connection (403)${said}`);
  }
  const retriable = status === 408 || status === 429 || status >= 500;
  return new ConnectionError(
    retriable ? "unreachable" : "notAnExecutor",
    `the server answered with HTTP status ${status} instead of a WebSocket${said}`,
  );
}

async function expectedAccept(key: string): Promise<string> {
  const digest = await crypto.subtle.digest(
    "SHA-1",
    new TextEncoder().encode(`${key}${HANDSHAKE_GUID}`),
  );
  return toBase64(new Uint8Array(digest));
}
