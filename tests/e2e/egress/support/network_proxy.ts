import type { Message } from "../../support/inbox.ts";

/** Patterns and what is said of them; a list for those that are allowed. */
export type Domains = readonly string[] | Readonly<Record<string, string>>;

/** Settings of a proxy as clients send them. */
export function networkProxy(domains: Domains, more: Message = {}): Message {
  return {
    enabled: true,
    enableSocks5: true,
    enableSocks5Udp: true,
    allowUpstreamProxy: false,
    dangerouslyAllowAllUnixSockets: false,
    mode: "full",
    domains: isList(domains)
      ? Object.fromEntries(domains.map((pattern) => [pattern, "allow"]))
      : domains,
    unixSockets: null,
    allowLocalBinding: false,
    ...more,
  };
}

function isList(domains: Domains): domains is readonly string[] {
  return Array.isArray(domains);
}
