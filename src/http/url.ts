import { invalidParams } from "../protocol/errors.ts";

const SCHEME = /^[a-z][a-z0-9+.-]*:/i;
const MAX_PORT = 65535;

/** Parses the address of a request (https://url.spec.whatwg.org). @throws {RpcError} -32602 */
export function parseHttpUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null) throw invalidParams(`http/request url is invalid: ${whyInvalid(text.trim())}`);
  if (isHttp(url)) return url;
  const scheme = url.protocol.slice(0, -1);
  throw invalidParams(`http/request only supports http and https URLs, got ${scheme}`);
}

/** Whether a URL is one of http or https. */
export function isHttp({ protocol }: URL): boolean {
  return protocol === "http:" || protocol === "https:";
}

/** The port, explicit or the default of the scheme. */
export function portOf({ protocol, port }: URL): number {
  if (port !== "") return Number(port);
  return protocol === "https:" ? 443 : 80;
}

/** The host as the system's resolver wants it: an IPv6 address without brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

/** A host, by its name without brackets, and a port as a URL has them. */
export function authorityOf({ name }: { readonly name: string }, port: number): string {
  return `${name.includes(":") ? `[${name}]` : name}:${port}`;
}

/** A URL for messages, without its name and password. */
export function shownUrl(url: URL): string {
  const shown = new URL(url);
  shown.username = "";
  shown.password = "";
  return shown.href;
}

/** Which part of a URL is invalid; the parser itself does not say. */
function whyInvalid(text: string): string {
  const scheme = SCHEME.exec(text)?.[0];
  if (scheme === undefined) return "relative URL without a base";
  const authority = /^[/\\]*([^/\\?#]*)/.exec(text.slice(scheme.length))?.[1] ?? "";
  const address = authority.slice(authority.lastIndexOf("@") + 1);
  const [, host = "", port = ""] = /^(\[[^\]]*\]?|[^:]*)(?::(.*))?$/.exec(address) ?? [];
  if (host === "") return "empty host";
  if (/\D/.test(port) || Number(port) > MAX_PORT) return "invalid port number";
  if (host.startsWith("[")) return "invalid IPv6 address";
  if (/(^|\.)(\d+|0x[\da-f]*)\.?$/i.test(host)) return "invalid IPv4 address";
  return "invalid international domain name";
}
