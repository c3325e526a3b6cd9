import { domainToASCII } from "node:url";
import ipaddr from "ipaddr.js";

/** Octets of a name in the domain name system (RFC 1035, section 2.3.4), without the last dot. */
const MAX_NAME = 253;
/** A label as it is found in use: of letters, digits, hyphens and underscores. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** How the last label of an IPv4 address in any spelling looks (URL Standard, "ends in a number"). */
const ENDS_IN_NUMBER = /(?:^|\.)(?:\d+|0x[\da-f]*)$/;

/** A host in the one form in which rules and requests are compared. */
export interface Host {
  /** Lower case, IDNA in its ASCII form, without a trailing dot; an address in its usual spelling. */
  readonly name: string;
  /** The address that the host was given by; undefined for a name, which has to be resolved. */
  readonly address: IpAddress | undefined;
}

/** An address of either family. */
export type IpAddress = ipaddr.IPv4 | ipaddr.IPv6;

/** A text names no host. */
export class HostError extends Error {
  override readonly name = "HostError";
}

/**
 * Reads a host as a request or a rule spells it.
 *
 * Every spelling of an IPv4 address that the system's resolver takes (`0x7f.1`, `2130706433`) is
 * that address, and an IPv6 address that stands for one of IPv4 is the latter.
 *
 * @throws {HostError}
 */
export function parseHost(text: string): Host {
  const bracketed = /^\[(.*)\]$/.exec(text)?.[1];
  if (bracketed !== undefined || text.includes(":")) return ipv6Host(bracketed ?? text, text);
  const ascii = domainToASCII(text).toLowerCase().replace(/\.$/, "");
  if (ENDS_IN_NUMBER.test(ascii)) return ipv4Host(ascii, text);
  if (ascii === "" || ascii.length > MAX_NAME || !ascii.split(".").every(isLabel)) {
    throw new HostError(text === "" ? "the host is empty" : `${shown(text)} is not a host`);
  }
  return { name: ascii, address: undefined };
}

/** An address as a host; one of IPv6 that stands for one of IPv4 is the latter. */
export function hostOfAddress(address: IpAddress): Host {
  const plain = address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()
    ? address.toIPv4Address()
    : address;
  return {
    name: plain instanceof ipaddr.IPv6 ? plain.toRFC5952String() : plain.toString(),
    address: plain,
  };
}

function ipv6Host(address: string, given: string): Host {
  // A zone (`fe80::1%eth0`) means something on one machine only.
  if (address.includes("%") || !ipaddr.IPv6.isValid(address)) {
    throw new HostError(`${shown(given)} is not an IPv6 address`);
  }
  return hostOfAddress(ipaddr.IPv6.parse(address));
}

function ipv4Host(address: string, given: string): Host {
  if (!ipaddr.IPv4.isValid(address)) throw new HostError(`${shown(given)} is not an IPv4 address`);
  return hostOfAddress(ipaddr.IPv4.parse(address));
}

function isLabel(label: string): boolean {
  return LABEL.test(label);
}

/** What a request says may be anything; it must not write into a terminal or be without end. */
function shown(text: string): string {
  const printable = text.replace(/[^\x20-\x7e\u00a0-\uffff]/gu, "?");
  return `'${printable.length > 80 ? `${printable.slice(0, 80)}…` : printable}'`;
}
