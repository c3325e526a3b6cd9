import { refuseUnauthorized, type TokenCheck } from "./authentication.ts";
import { cutConnection, tuneListeningSocket } from "./socket_options.ts";
import { formatListenAddress, type ListenAddress } from "./listen_address.ts";
import type { Transport } from "./transport.ts";
import { WebSocketTransport } from "./websocket_transport.ts";

/** A running listener. */
export interface WebSocketServer {
  /** What a client connects to. */
  readonly url: string;
  /** Stops accepting; accepted connections go on. */
  stop(): void;
}

/** What a listener asks of the executor. */
export interface WebSocketServerOptions {
  /** Serves an accepted connection. */
  readonly accept: (transport: Transport) => void;
  /** Whether new work is taken. */
  readonly ready: () => boolean;
  /** Whether there are as many connections as may be. @default never */
  readonly full?: () => boolean;
  /** Looks at the token of whoever connects. @default anyone may */
  readonly checkToken?: TokenCheck | undefined;
  /** Makes it a server of wss URLs. @default none */
  readonly tls?: TlsKeyPair | undefined;
}

/** A server's certificate, followed by those that certify it, and its private key: PEM texts. */
export interface TlsKeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Where a WebSocket server can listen. */
type SocketAddress = Exclude<ListenAddress, { kind: "stdio" }>;

/** Why an address cannot be had: it is in use, not this machine's, or not allowed. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/**
 * Accepts WebSocket connections on an address, on any path but those of health checks.
 *
 * @throws {ListenError} when the address cannot be had
 */
export async function serveWebSocket(
  address: SocketAddress,
  options: WebSocketServerOptions,
): Promise<WebSocketServer> {
  try {
    return await listen(address, options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `cannot listen on ${formatListenAddress(address)}: ${reason}`;
    throw new ListenError(message, { cause: error });
  }
}

async function listen(
  address: SocketAddress,
  options: WebSocketServerOptions,
): Promise<WebSocketServer> {
  const stopped = new AbortController();
  const handler = (request: Request, { remoteAddr }: { readonly remoteAddr: Deno.Addr }) =>
    respond(request, remoteAddr, options);
  const settings = { signal: stopped.signal, onListen: () => {} };
  if (address.kind === "unix") {
    await removeStaleSocket(address.path);
    withPrivateFiles(() => Deno.serve({ ...settings, path: address.path }, handler));
    return { url: formatListenAddress(address), stop: () => stopped.abort() };
  }
  const { hostname, port } = address;
  const server = Deno.serve({ ...settings, ...options.tls, hostname, port }, handler);
  tuneListeningSocket(server.addr.port);
  const url = formatListenAddress({
    kind: "websocket",
    hostname: server.addr.hostname,
    port: server.addr.port,
  });
  const secured = options.tls === undefined ? url : url.replace(/^ws:/, "wss:");
  return { url: secured, stop: () => stopped.abort() };
}

/** The only one that there is (RFC 6455, section 4.2.1); Deno does not look at it. */
const WEBSOCKET_VERSION = "13";

async function respond(
  request: Request,
  peer: Deno.Addr,
  options: WebSocketServerOptions,
): Promise<Response> {
  if (request.headers.has("origin")) {
    return new Response("connections from web pages are refused\n", { status: 403 });
  }
  const path = URL.parse(request.url)?.pathname;
  if (path === undefined) return new Response("not a valid Host header\n", { status: 400 });
  if (path === "/livez" || path === "/healthz") return new Response("ok\n");
  if (path === "/readyz") {
    return options.ready() ? new Response("ready\n") : new Response("draining\n", { status: 503 });
  }
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return new Response("this is a WebSocket server\n", {
      status: 426,
      headers: { upgrade: "websocket" },
    });
  }
  if (request.headers.get("sec-websocket-version") !== WEBSOCKET_VERSION) {
    return new Response(`only version ${WEBSOCKET_VERSION} of the WebSocket protocol is spoken\n`, {
      status: 400,
      headers: { "sec-websocket-version": WEBSOCKET_VERSION },
    });
  }
  const { checkToken } = options;
  const refusal = checkToken && await refuseUnauthorized(request.headers, checkToken);
  if (refusal !== undefined) return refusal;
  if (!options.ready()) return new Response("shutting down\n", { status: 503 });
  if (options.full?.()) {
    return new Response("as many clients are connected as may be\n", { status: 503 });
  }
  return upgrade(request, peer, options);
}

function upgrade(request: Request, peer: Deno.Addr, options: WebSocketServerOptions): Response {
  try {
    // Deno's own check for silence would also cut off a client that merely reads slowly.
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
    // The kernel names no peer of a unix socket; those are this user's own programs.
    const cut = () => peer.transport === "tcp" && cutConnection(peer);
    options.accept(new WebSocketTransport(socket, cut));
    return response;
  } catch (error) {
    const reason = error instanceof Error ? error.message : "not a valid upgrade request";
    return new Response(`${reason}\n`, { status: 400 });
  }
}

/** Creates files that only this user can open, as a socket file's mode decides who may connect. */
function withPrivateFiles(action: () => void): void {
  const before = Deno.umask(0o177);
  try {
    action();
  } finally {
    Deno.umask(before);
  }
}

/**
 * A socket file that an executor left when it was killed is in the way of the next one. Any other
 * file stays: a connection to it is refused too (connect(2)).
 */
async function removeStaleSocket(path: string): Promise<void> {
  if (!isSocket(path)) return;
  try {
    const connection = await Deno.connect({ transport: "unix", path });
    connection.close();
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) Deno.removeSync(path);
  }
}

function isSocket(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSocket === true;
  } catch {
    return false;
  }
}
