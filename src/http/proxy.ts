import { toBase64 } from "../protocol/base64.ts";
import { HttpFailure } from "./request.ts";
import { hostOf, portOf } from "./url.ts";

/** A proxy server. */
export interface Proxy {
  readonly host: string;
  readonly port: number;
  /** The value of Proxy-Authorization. */
  readonly authorization: string | undefined;
}

/** The variables of a process. */
export type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The proxy that the environment names for an address: HTTP_PROXY or HTTPS_PROXY, else ALL_PROXY,
 * unless NO_PROXY takes the host out. Each may be written in lower case.
 *
 * @throws {HttpFailure} when it is of a kind that is not supported, since going around it could
 * send what must not leave
 */
export function proxyFor(url: URL, env: Variables): Proxy | undefined {
  const variable = (name: string) => env[name] || env[name.toLowerCase()] || undefined;
  const scheme = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const named = variable(scheme) ?? variable("ALL_PROXY");
  if (named === undefined || isExempt(hostOf(url), variable("NO_PROXY") ?? "")) return undefined;
  const proxy = URL.parse(named.includes("://") ? named : `http://${named}`);
  if (proxy?.protocol !== "http:") throw new HttpFailure("the proxy is not at an http:// address");
  return { host: hostOf(proxy), port: portOf(proxy), authorization: basicAuthorization(proxy) };
}

/** The value of Authorization for the name and password in an address (RFC 7617). */
export function basicAuthorization({ username, password }: URL): string | undefined {
  if (username === "" && password === "") return undefined;
  const bytes = new TextEncoder().encode(`${unescaped(username)}:${unescaped(password)}`);
  return `Basic ${toBase64(bytes)}`;
}

/** Decodes percent-encoding; text with a lone percent sign is left as it is. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Whether a comma-separated list of names, suffixes, addresses and networks has the host. */
function isExempt(host: string, list: string): boolean {
  return list.split(",").map((entry) => entry.trim().toLowerCase()).some((entry) => {
    if (entry === "*") return true;
    if (entry.includes("/")) return isInNetwork(host, entry);
    const name = entry.replace(/^\*?\./, "").replace(/^\[(.*)\]$/, "$1");
    return name !== "" && (host === name || host.endsWith(`.${name}`));
  });
}

/** Whether an IPv4 address is in a network such as 10.0.0.0/8. */
function isInNetwork(host: string, network: string): boolean {
  const [base = "", prefix = ""] = network.split("/");
  const [address, start] = [ipv4Number(host), ipv4Number(base)];
  const bits = /^\d{1,2}$/.test(prefix) ? Number(prefix) : NaN;
  if (address === undefined || start === undefined || !(bits <= 32)) return false;
  const size = 2 ** (32 - bits);
  return Math.floor(address / size) === Math.floor(start / size);
}

function ipv4Number(text: string): number | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return undefined;
  return text.split(".").reduce((number, part) => number * 256 + Number(part), 0);
}
