import { isToken } from "../http/request.ts";
import { parseHost } from "./host.ts";
import { authorityOf } from "../http/url.ts";
import { type BodyLength, requestBodyLength } from "./http_body.ts";
import {
  encodeHead,
  endToEnd,
  type Field,
  membersOf,
  MessageError,
  type MessageHead,
  valuesOf,
} from "./http_head.ts";
import type { Route, Target } from "./policy.ts";

/** A request to a proxy. */
export interface ProxyRequest {
  readonly method: string;
  /** Of HTTP: 1.0 or 1.1. */
  readonly version: string;
  readonly target: Target;
  /** What the server is to be asked for: a path, or `*`. Empty for CONNECT. */
  readonly path: string;
  readonly fields: readonly Field[];
  /** Where its body ends. CONNECT has none. */
  readonly body: BodyLength;
}

const DEFAULT_PORT = 80;

/** @throws {MessageError | HostError} when it is malformed, or could be understood differently */
export function parseRequest({ start, fields }: MessageHead): ProxyRequest {
  const [, method = "", uri = "", version = ""] =
    /^(\S+) ([!-~\x80-\xff]+) HTTP\/(1\.[01])$/.exec(start) ??
      [];
  if (!isToken(method)) throw new MessageError("the first line is no request of HTTP/1");
  const hosts = valuesOf(fields, "host");
  if (hosts.length > 1 || (version === "1.1" && hosts.length === 0)) {
    throw new MessageError("a request has to have one Host");
  }
  const body = requestBodyLength(fields, version);
  if (method !== "CONNECT") {
    return { method, version, ...requestTarget(method, uri, upgradeOf(fields)), fields, body };
  }
  // A body has no meaning there (RFC 9110, section 9.3.6): others could take it for a request.
  if (body.kind !== "bytes" || body.count !== 0) throw new MessageError("CONNECT has no body");
  return { method, version, target: tunnelTarget(uri), path: "", fields, body };
}

/** The authority form (RFC 9112, section 3.2.3). */
function tunnelTarget(authority: string): Target {
  const { host, port } = parseAuthority(authority);
  if (port === undefined) throw new MessageError("CONNECT needs a port");
  return { protocol: "https_connect", host: parseHost(host), port };
}

/** The absolute form (RFC 9112, section 3.2.2). Another scheme would need what the proxy is not. */
function requestTarget(
  method: string,
  uri: string,
  upgrade: string | undefined,
): { target: Target; path: string } {
  const [, authority, path = ""] = /^(?:http|ws):\/\/([^/?#\\]*)([^#\\]*)$/i.exec(uri) ?? [];
  if (authority === undefined) {
    throw new MessageError("this is a proxy: a request has to name an http:// address");
  }
  const { host, port = DEFAULT_PORT } = parseAuthority(authority);
  const target: Target = { protocol: "http", host: parseHost(host), port, method, upgrade };
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

/** The server sees the host that was judged, whatever the command says in Host (RFC 9112, 3.2.2). */
export function encodeRequest(request: ProxyRequest, route: Route): Uint8Array<ArrayBuffer> {
  const { method, path, version, fields, target } = request;
  const { host, port, upgrade } = target;
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

/** Whether the command wants to ask more on the same connection. */
export function keepsAlive({ fields, version }: ProxyRequest): boolean {
  const options = [...membersOf(fields, "connection"), ...membersOf(fields, "proxy-connection")];
  return version === "1.1" ? !options.includes("close") : false;
}
