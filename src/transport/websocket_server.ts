import { type Admission, authorize, type TokenCheck } from "./authentication.ts";
import { HandshakeWatch } from "./handshake_watch.ts";
import { listenOnAll } from "./listen_on_all.ts";
import { cutConnection, tuneListeningSocket } from "./socket_options.ts";
import { CWD_HEADER } from "../protocol/lifecycle.ts";
import { type LogLevel, logSeldom } from "../log/log.ts";
import type { PeerCheck } from "./peer_origin.ts";
import { formatListenAddress, isLoopback, type ListenAddress } from "./listen_address.ts";
import type { Transport, TransportLimits } from "./transport.ts";
import { type Peer, peerName, WebSocketTransport } from "./websocket_transport.ts";

/** A running listener. */
export interface WebSocketServer {
  /** What a client connects to. */
  readonly url: string;
  /** The port that it listens on; undefined for a unix socket. */
  readonly port: number | undefined;
  /** Stops accepting connections; accepted ones stay. */
  stop(): void;
}

/** How a listener uses the executor. */
export interface WebSocketServerOptions {
  /** Serves an accepted connection. */
  readonly accept: (transport: Transport) => void;
  /** Settles when clients can be served: those that come before wait. @default at once */
  readonly prepared?: Promise<void>;
  /** Whether new clients are accepted. */
  readonly ready: () => boolean;
  /** The memory limits of a connection. @default the transport's */
  readonly limits?: () => TransportLimits;
  /** Whether the limit of connections is reached. @default never */
  readonly full?: () => boolean;
  /** The working directory that is announced to clients, as a path URI. @default none */
  readonly cwd?: () => string | undefined;
  /** Checks which process connects. @default any may connect */
  readonly checkPeer?: PeerCheck | undefined;
  /** Checks a client's token. @default none is needed */
  readonly checkToken?: TokenCheck | undefined;
  /**
   * Silence after which a client gets a ping, in milliseconds; after as long without an answer it is
   * disconnected. @default no pings
   */
  readonly pingIntervalMs?: number;
  /** Certificate and key of a server of wss URLs. @default unencrypted */
  readonly tls?: TlsKeyPair | undefined;
  /**
   * Time after which a TCP connection that is not a WebSocket yet is closed, in milliseconds; some get
   * twice as long. @default 10 s
   */
  readonly handshakePatienceMs?: number;
}

const HANDSHAKE_PATIENCE_MS = 10_000;

/** A server's certificate chain and its private key, in PEM format. */
export interface TlsKeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Where a WebSocket server can listen. */
type SocketAddress = Exclude<ListenAddress, { kind: "stdio" }>;

/** An address cannot be listened on: it is in use, not this machine's, or not allowed. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/**
 * Accepts WebSocket connections on an address, on any path but those of health checks.
 *
 * @throws {ListenError} when the address cannot be listened on
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
  let watch: HandshakeWatch | undefined;
  let boundPort: number | undefined;
  const loopbackOnly = address.kind === "websocket" && isLoopback(address.hostname);
  const handler = (request: Request, { remoteAddr }: { readonly remoteAddr: Deno.Addr }) =>
    respond(request, remoteAddr, options, { watch, port: boundPort, loopbackOnly });
  const settings = { signal: stopped.signal, onListen: () => {} };
  if (address.kind === "unix") {
    await removeStaleSocket(address.path);
    withPrivateFiles(() => Deno.serve({ ...settings, path: address.path }, handler));
    const { ino } = Deno.lstatSync(address.path);
    const stop = () => {
      stopped.abort();
      removeOwnSocket(address.path, ino);
    };
    return { url: formatListenAddress(address), port: undefined, stop };
  }
  const serve = (hostname: string, port: number) => {
    const server = Deno.serve({ ...settings, ...options.tls, hostname, port }, handler);
    tuneListeningSocket(server.addr.port);
    return server;
  };
  const port = boundPort = await listenOnAll(address, serve, stopped.signal);
  const patience = options.handshakePatienceMs ?? HANDSHAKE_PATIENCE_MS;
  const handshakes = watch = new HandshakeWatch(port, patience);
  const stop = () => {
    handshakes[Symbol.dispose]();
    stopped.abort();
  };
  const url = formatListenAddress({
    kind: "websocket",
    hostname: address.hostname,
    port,
  });
  const secured = options.tls === undefined ? url : url.replace(/^ws:/, "wss:");
  return { url: secured, port, stop };
}

/** The version of the WebSocket protocol (RFC 6455, section 4.2.1), which Deno does not check. */
const WEBSOCKET_VERSION = "13";

/** The listener that a request came to. */
interface Listener {
  readonly watch: HandshakeWatch | undefined;
  /** Undefined for a unix socket. */
  readonly port: number | undefined;
  /**
   * Whether it listens on a loopback address. A Host header with another name then comes from a web page
   * whose name was made to resolve to this machine (DNS rebinding), unless a token is required.
   */
  readonly loopbackOnly: boolean;
}

/** Whether a host of a URL is a loopback address or a name of one (RFC 6761, section 6.3). */
function namesLoopback(hostname: string): boolean {
  const name = hostname.replace(/\.$/, "");
  return name === "localhost" || name.endsWith(".localhost") ||
    /^127(\.\d+){3}$/.test(name) || name === "[::1]" || /^\[::ffff:7f[0-9a-f]{2}:/.test(name);
}

async function respond(
  request: Request,
  peer: Deno.Addr,
  options: WebSocketServerOptions,
  { watch, port, loopbackOnly }: Listener,
): Promise<Response> {
  const refuse = refuser(peer);
  if (request.headers.has("origin")) {
    return refuse("warn", 403, "connections from web pages are refused");
  }
  const url = URL.parse(request.url);
  if (url === null) return refuse("info", 400, "not a valid Host header");
  const path = url.pathname;
  if (path === "/livez" || path === "/healthz") return new Response("ok\n");
  if (path === "/readyz") {
    return options.ready() ? new Response("ready\n") : new Response("draining\n", { status: 503 });
  }
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return refuse("info", 426, "this is a WebSocket server", { upgrade: "websocket" });
  }
  if (request.headers.get("sec-websocket-version") !== WEBSOCKET_VERSION) {
    const reason = `only version ${WEBSOCKET_VERSION} of the WebSocket protocol is spoken`;
    return refuse("info", 400, reason, { "sec-websocket-version": WEBSOCKET_VERSION });
  }
  if (loopbackOnly && options.checkToken === undefined && !namesLoopback(url.hostname)) {
    return refuse("warn", 403, "the Host header names neither localhost nor a loopback address");
  }
  using _examination = peer.transport === "tcp" ? watch?.examining(peer) : undefined;
  await options.prepared;
  const unwelcome = await options.checkPeer?.(peer, port);
  if (unwelcome !== undefined) return refuse("warn", 403, unwelcome);
  const { checkToken } = options;
  const admission: Admission = checkToken === undefined ? { kind: "accepted" } : await authorize(
    request.headers,
    checkToken,
    (reason) => logRefusal(peer, "warn", 401, reason),
  );
  if (admission.kind === "refused") return admission.response;
  if (!options.ready()) return refuse("info", 503, "shutting down");
  if (options.full?.()) {
    return refuse("warn", 503, "as many clients are connected as may be (--max-connections)");
  }
  return upgrade(request, { address: peer, subject: admission.subject }, options, watch);
}

function upgrade(
  request: Request,
  { address: peer, subject }: Peer,
  options: WebSocketServerOptions,
  watch: HandshakeWatch | undefined,
): Response {
  try {
    // Deno sends a ping after half of that time, and closes after the other half without an answer.
    const idleTimeout = 2 * (options.pingIntervalMs ?? 0) / 1000;
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout });
    if (peer.transport === "tcp") watch?.upgraded(peer, socket);
    // Clients of a unix socket have no address to find the connection by.
    const cut = () => peer.transport === "tcp" && cutConnection(peer);
    options.accept(
      new WebSocketTransport(socket, { address: peer, subject }, cut, options.limits?.()),
    );
    const cwd = options.cwd?.();
    if (cwd !== undefined) response.headers.set(CWD_HEADER, cwd);
    return response;
  } catch (error) {
    logRefusal(peer, "info", 400, "not a valid upgrade request");
    const reason = error instanceof Error ? error.message : "not a valid upgrade request";
    return new Response(`${reason}\n`, { status: 400 });
  }
}

/** Makes responses that refuse a request, and logs them. */
function refuser(peer: Deno.Addr) {
  return (level: LogLevel, status: number, reason: string, headers: HeadersInit = {}): Response => {
    logRefusal(peer, level, status, reason);
    return new Response(`${reason}\n`, { status, headers });
  };
}

/** Logs a refusal, seldom, as strangers can cause any number of them. */
function logRefusal(peer: Deno.Addr, level: LogLevel, status: number, reason: string): void {
  const name = peerName(peer);
  const who = name === undefined ? {} : { peer: name };
  logSeldom(level, "connection refused", { status, reason, ...who });
}

/** Creates files for this user only: the mode of a socket file decides who may connect. */
function withPrivateFiles(action: () => void): void {
  const before = Deno.umask(0o177);
  try {
    action();
  } finally {
    Deno.umask(before);
  }
}

/** Removes a socket file, unless it has been replaced. */
function removeOwnSocket(path: string, ino: number | null): void {
  try {
    if (Deno.lstatSync(path).ino === ino) Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Removes the socket file of an executor that was killed, which would keep the next one from listening.
 * Other files stay, though connections to them are refused too (connect(2)).
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
