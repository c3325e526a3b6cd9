import { lookup } from "node:dns/promises";
import { networkInterfaces } from "node:os";
import ipaddr from "ipaddr.js";
import { hostOfAddress, type IpAddress } from "./host.ts";

/** How long a name server may take, in milliseconds. */
const RESOLVE_TIMEOUT_MS = 15_000;
/** How long what was found out about this machine's addresses is relied upon, in milliseconds. */
const REREAD_MS = 500;
/** What is routed on the Internet at all (RFC 4291, section 2.4). */
const GLOBAL_UNICAST = ipaddr.IPv6.parse("2000::");
const GLOBAL_UNICAST_BITS = 3;

/** Turns a name into addresses. @throws when there are none */
export type Resolver = (name: string) => Promise<readonly IpAddress[]>;

/** Asks the system's resolver, in which `/etc/hosts` counts too. @throws when there are none */
export async function resolve(name: string): Promise<readonly IpAddress[]> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => timeout.reject(new Error("the name servers did not answer")),
    RESOLVE_TIMEOUT_MS,
  );
  try {
    const found = await Promise.race([lookup(name, { all: true }), timeout.promise]);
    return found.map(({ address }) => ipaddr.parse(address));
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Whether an address is one that everybody can reach: not this machine, the local link (where the
 * cloud's metadata service is), a private network, a multicast group, nor anything reserved
 * (RFC 6890). Addresses that hold one of IPv4 count as that.
 */
export function isPublic(address: IpAddress): boolean {
  const { address: plain = address } = hostOfAddress(address);
  if (plain instanceof ipaddr.IPv4) return plain.range() === "unicast";
  const range = plain.range();
  // NAT64 with the well-known prefix (RFC 6052): the last four bytes are an address of IPv4.
  if (range === "rfc6052" && plain.match(ipaddr.IPv6.parse("64:ff9b::"), 96)) {
    return isPublic(new ipaddr.IPv4(plain.toByteArray().slice(-4)));
  }
  return range === "unicast" && plain.match(GLOBAL_UNICAST, GLOBAL_UNICAST_BITS);
}

/** The addresses of this machine, which may change while it runs. */
export class OwnAddresses {
  #names = new Set<string>();
  #readAt = -Infinity;

  /** Whether an address is one of them. */
  has(address: IpAddress): boolean {
    if (performance.now() - this.#readAt > REREAD_MS) {
      this.#readAt = performance.now();
      this.#names = new Set(ownNames());
    }
    return this.#names.has(hostOfAddress(address).name);
  }
}

function ownNames(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter(({ address }) => ipaddr.isValid(address))
    .map(({ address }) => hostOfAddress(ipaddr.parse(address)).name);
}
