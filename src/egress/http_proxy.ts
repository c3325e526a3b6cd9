import {
  type Connector,
  dialAddresses,
  DialError,
  dialProxy,
  dialTunnel,
  outside,
} from "./dial.ts";
import { HostError, parseHost } from "./host.ts";
import { relayBody, requestBodyLength, responseBodyLength } from "./http_body.ts";
import {
  bytesOf,
  encodeHead,
  endToEnd,
  type Field,
  isToken,
  membersOf,
  MessageError,
  readHead,
  valuesOf,
} from "./http_head.ts";
import { authorityOf, type Denial, type Route, type Target, type Verdict } from "./policy.ts";
import { type ByteStream, type StreamReader, writeAll } from "./stream.ts";
import { passOn, tunnel } from "./tunnel.ts";

/** What serving one connection takes. */
export interface ProxyContext {
  readonly connect: Connector;
  /** Judges a target, and writes down how it came out. */
  judge(target: Target): Promise<Verdict>;
  /** Writes down that there is a connection. */
  reached(target: Target): void;
  /** Writes down that a tunnel that was allowed asked for another server. */
  asksForOther(target: Target, serverName: string): void;
  /** Aborted when the connection or its command has ended. */
  readonly signal: AbortSignal;
}

/** A connection of a command. */
export interface Inside {
  readonly stream: ByteStream;
  readonly reader: StreamReader;
}

interface Request {
  readonly method: string;
  /** Of HTTP: 1.0 or 1.1. */
  readonly version: string;
  readonly target: Target;
  /** What the server is to be asked for: a path, or `*`. Empty for CONNECT. */
  readonly path: string;
  readonly fields: readonly Field[];
}

/** How long a command may take from its first byte to the end of a head, in milliseconds. */
const HEAD_TIMEOUT_MS = 60_000;
const PROXY_ERROR = "x-proxy-error";
const DEFAULT_PORT = 80;

/** Serves a connection that speaks HTTP until it has ended. */
export async function serveHttp(inside: Inside, context: ProxyContext): Promise<void> {
  for (let more = true; more;) {
    const request = await nextRequest(inside);
    if (request === undefined) return;
    more = request.method === "CONNECT"
      ? await serveConnect(request, inside, context)
      : await serveRequest(request, inside, context);
  }
}

/** Undefined when there is none, or one that has been answered as malformed. */
async function nextRequest({ stream, reader }: Inside): Promise<Request | undefined> {
  // Between requests a command may wait as long as it likes.
  if (reader.unread.length === 0 && !await reader.more()) return undefined;
  const timer = setTimeout(() => stream.close(), HEAD_TIMEOUT_MS);
  try {
    const head = await readHead(reader);
    return head === undefined ? undefined : parseRequest(head.start, head.fields);
  } catch (error) {
    if (!(error instanceof MessageError || error instanceof HostError)) throw error;
    await refuseMalformed(stream, error);
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** @throws {MessageError | HostError} */
function parseRequest(start: string, fields: readonly Field[]): Request {
  const [, method = "", uri = "", version = ""] = /^(\S+) (\S+) HTTP\/(1\.[01])$/.exec(start) ?? [];
  if (!isToken(method)) throw new MessageError("the first line is no request of HTTP/1");
  const hosts = valuesOf(fields, "host");
  if (hosts.length > 1 || (version === "1.1" && hosts.length === 0)) {
    throw new MessageError("a request has to have one Host");
  }
  return method === "CONNECT"
    ? { method, version, target: tunnelTarget(uri), path: "", fields }
    : { method, version, ...requestTarget(method, uri), fields };
}

/** The authority form (RFC 9112, section 3.2.3). */
function tunnelTarget(authority: string): Target {
  const { host, port } = parseAuthority(authority);
  if (port === undefined) throw new MessageError("CONNECT needs a port");
  return { protocol: "https_connect", host: parseHost(host), port };
}

/** The absolute form (RFC 9112, section 3.2.2). Another scheme would need what the proxy is not. */
function requestTarget(method: string, uri: string): { target: Target; path: string } {
  const [, authority, path = ""] = /^(?:http|ws):\/\/([^/?#\\]*)([^#\\]*)$/i.exec(uri) ?? [];
  if (authority === undefined) {
    throw new MessageError("this is a proxy: a request has to name an http:// address");
  }
  const { host, port = DEFAULT_PORT } = parseAuthority(authority);
  const target: Target = { protocol: "http", host: parseHost(host), port, method };
  if (path === "" && method === "OPTIONS") return { target, path: "*" };
  return { target, path: path.startsWith("/") ? path : `/${path}` };
}

/** Names and passwords in an address are for whoever typed it, and never on the wire. */
function parseAuthority(text: string): { host: string; port: number | undefined } {
  const [, host = "", port] = /^(\[[^\]@]*\]|[^:@[\]]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const number = port === undefined ? undefined : Number(port);
  if (host === "" || number === 0 || (number ?? 1) > 65535) {
    throw new MessageError("a request does not name a host and a port");
  }
  return { host, port: number };
}

async function serveConnect(
  { target, fields, version }: Request,
  inside: Inside,
  context: ProxyContext,
): Promise<false> {
  // A body has no meaning there (RFC 9110, section 9.3.6): others could take it for a request.
  const length = await bodyLength(fields, version, inside.stream);
  if (length === undefined) return false;
  if (length.kind !== "bytes" || length.count !== 0) {
    await refuseMalformed(inside.stream, new MessageError("CONNECT has no body"));
    return false;
  }
  const verdict = await context.judge(target);
  if (verdict.kind !== "allowed") {
    await refuse(inside.stream, verdict);
    return false;
  }
  let found;
  try {
    found = await dialTunnel(target, verdict.route, context.connect, context.signal);
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    await refuse(inside.stream, unreachable(target, error));
    return false;
  }
  context.reached(target);
  try {
    await writeAll(inside.stream, bytesOf("HTTP/1.1 200 Connection established\r\n\r\n"));
    await tunnel(inside, found, target.host, (name) => context.asksForOther(target, name));
  } finally {
    found.stream.close();
  }
  return false;
}

/** Undefined if that is malformed, which has been answered then. */
async function bodyLength(fields: readonly Field[], version: string, stream: ByteStream) {
  try {
    return requestBodyLength(fields, version);
  } catch (error) {
    if (!(error instanceof MessageError)) throw error;
    await refuseMalformed(stream, error);
    return undefined;
  }
}

/** Serves one request on a connection of its own to the server. Returns whether another may follow. */
async function serveRequest(
  request: Request,
  inside: Inside,
  context: ProxyContext,
): Promise<boolean> {
  const { target, fields, version, method } = request;
  const length = await bodyLength(fields, version, inside.stream);
  if (length === undefined) return false;
  const verdict = await context.judge(target);
  if (verdict.kind !== "allowed") {
    await refuse(inside.stream, verdict);
    return false;
  }
  let server: ByteStream;
  try {
    server = await dialServer(target, verdict.route, context);
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    await refuse(inside.stream, unreachable(target, error));
    return false;
  }
  context.reached(target);
  const upgrade = upgradeOf(fields);
  let body: "sending" | "sent" | { readonly failure: unknown } = "sending";
  const sending = () => body;
  try {
    await writeAll(server, requestHead(request, verdict.route, upgrade));
    // A server may answer before it has read everything, and instead of reading it.
    relayBody(inside.reader, server, length).then(() => body = "sent", (failure) => {
      body = { failure };
      // What is malformed must not end like what is complete.
      if (failure instanceof MessageError) server.close();
    });
    const reusable = await relayResponse(inside, server, { method, version, upgrade });
    return reusable && sending() === "sent" && keepsAlive(fields, version);
  } catch (error) {
    if (!(error instanceof BeforeResponse)) throw error;
    const state = sending();
    if (typeof state === "object" && state.failure instanceof MessageError) {
      await refuseMalformed(inside.stream, state.failure);
    } else {
      const message = `${target.host.name} gave no answer that can be understood`;
      await refuse(inside.stream, { kind: "unreachable", message });
    }
    return false;
  } finally {
    server.close();
  }
}

async function dialServer(target: Target, route: Route, context: ProxyContext) {
  return route.kind === "direct"
    ? await dialAddresses(route.addresses, target.port, context.connect, context.signal)
    : await dialProxy(route.proxy, context.connect, context.signal);
}

/** The server sees the host that was judged, whatever the command says in Host (RFC 9112, 3.2.2). */
function requestHead(
  { method, path, version, fields, target }: Request,
  route: Route,
  upgrade: string | undefined,
) {
  const { host, port } = target;
  const authority = authorityOf(host, port);
  const shown = port === DEFAULT_PORT ? authority.slice(0, -`:${port}`.length) : authority;
  const authorization = route.kind === "upstream" ? route.proxy.authorization : undefined;
  const uri = route.kind === "upstream" ? `http://${shown}${path === "*" ? "" : path}` : path;
  return encodeHead({
    start: `${method} ${uri} HTTP/${version}`,
    fields: [
      { name: "Host", value: shown },
      ...endToEnd(fields).filter(({ name }) => name.toLowerCase() !== "host"),
      ...upgrade === undefined
        ? [{ name: "Connection", value: "close" }]
        : [{ name: "Connection", value: "Upgrade" }, { name: "Upgrade", value: upgrade }],
      ...authorization === undefined ? [] : [{ name: "Proxy-Authorization", value: authorization }],
    ],
  });
}

/** The protocol that a request wants to go on with, such as websocket. */
function upgradeOf(fields: readonly Field[]): string | undefined {
  if (!membersOf(fields, "connection").includes("upgrade")) return undefined;
  const [upgrade] = valuesOf(fields, "upgrade");
  return upgrade;
}

function keepsAlive(fields: readonly Field[], version: string): boolean {
  const options = [...membersOf(fields, "connection"), ...membersOf(fields, "proxy-connection")];
  return version === "1.1" ? !options.includes("close") : false;
}

/** The server failed before anything of its answer was passed on. */
class BeforeResponse extends Error {
  override readonly name = "BeforeResponse";
}

interface Exchange {
  readonly method: string;
  readonly version: string;
  readonly upgrade: string | undefined;
}

/** Passes the answer on. Returns whether its end is known to the command. */
async function relayResponse(
  inside: Inside,
  server: ByteStream,
  { method, version, upgrade }: Exchange,
): Promise<boolean> {
  const { reader } = outside(server);
  for (;;) {
    const { start, fields, status, length } = await responseHead(reader, method);
    if (status === 101 && upgrade !== undefined) {
      const switched = [...endToEnd(fields), { name: "Connection", value: "Upgrade" }, {
        name: "Upgrade",
        value: valuesOf(fields, "upgrade")[0] ?? upgrade,
      }];
      await writeAll(inside.stream, encodeHead({ start, fields: switched }));
      await tunnelPlain(inside, { stream: server, reader });
      return false;
    }
    const final = status >= 200;
    const close = final && (length.kind === "untilClose" || version === "1.0");
    await writeAll(
      inside.stream,
      encodeHead({
        start,
        fields: [...endToEnd(fields), ...close ? [{ name: "Connection", value: "close" }] : []],
      }),
    );
    if (!final) continue;
    await relayBody(reader, inside.stream, length);
    return !close;
  }
}

async function responseHead(reader: StreamReader, method: string) {
  try {
    const head = await readHead(reader);
    const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(head?.start ?? "")?.[1]);
    if (head === undefined || Number.isNaN(status)) {
      throw new BeforeResponse("the connection ended, or it is no HTTP/1");
    }
    return { ...head, status, length: responseBodyLength(head.fields, status, method) };
  } catch (error) {
    throw error instanceof BeforeResponse
      ? error
      : new BeforeResponse("the answer cannot be read", { cause: error });
  }
}

/** What was switched to is no TLS that could name another server. */
async function tunnelPlain(inside: Inside, server: Inside): Promise<void> {
  await Promise.all([
    passOn(server.reader, server.stream, inside.stream),
    passOn(inside.reader, inside.stream, server.stream),
  ]);
}

function unreachable({ host, port }: Target, { message }: DialError): Refusal {
  return { kind: "unreachable", message: `${authorityOf(host, port)}: ${message}` };
}

type Refusal = Exclude<Verdict, { kind: "allowed" }>;

async function refuse(stream: ByteStream, refusal: Refusal): Promise<void> {
  await (refusal.kind === "denied"
    ? answer(stream, 403, "Forbidden", headerOf(refusal), refusal.message)
    : answer(stream, 502, "Bad Gateway", "unreachable", `remex: ${refusal.message}`));
}

async function refuseMalformed(stream: ByteStream, { message }: Error): Promise<void> {
  await answer(stream, 400, "Bad Request", "malformed-request", `remex: ${message}`);
}

/** The words that the reference has for the same reasons. */
function headerOf({ reason, source }: Denial): string {
  if (source === "decider") return "blocked-by-policy";
  switch (reason) {
    case "denied":
      return "blocked-by-denylist";
    case "method_not_allowed":
      return "blocked-by-method-policy";
    case "not_allowed":
    case "not_allowed_local":
      return "blocked-by-allowlist";
    default:
      return "blocked-by-policy";
  }
}

/** Answers in this program's own name, and ends the connection. */
async function answer(
  stream: ByteStream,
  status: number,
  reason: string,
  error: string,
  message: string,
): Promise<void> {
  const body = new TextEncoder().encode(`${message}\n`);
  const head = encodeHead({
    start: `HTTP/1.1 ${status} ${reason}`,
    fields: [
      { name: "Content-Type", value: "text/plain; charset=utf-8" },
      { name: "Content-Length", value: `${body.length}` },
      { name: PROXY_ERROR, value: error },
      { name: "Connection", value: "close" },
    ],
  });
  await writeAll(stream, head);
  await writeAll(stream, body);
  await stream.closeWrite();
}
