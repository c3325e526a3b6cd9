import ipaddr from "ipaddr.js";
import { type Host, hostOfAddress, parseHost } from "./host.ts";
import type { ProxyPassword } from "./port_entrance.ts";
import { type ByteStream, type StreamReader, writeAll } from "./stream.ts";

/** SOCKS5 (RFC 1928). */
export const SOCKS_VERSION = 5;
const NO_AUTHENTICATION = 0;
/** RFC 1929. */
const USER_AND_PASSWORD = 2;
const USER_AND_PASSWORD_VERSION = 1;
const [ACCEPTED, REFUSED] = [0, 1];
const NO_METHOD = 0xff;
const CONNECT = 1;
const AddressType = {
  Ipv4: 1,
  Name: 3,
  Ipv6: 4,
} as const;

/** What is answered to a request (RFC 1928, section 6). */
export const SocksReply = {
  Succeeded: 0,
  NotAllowed: 2,
  HostUnreachable: 4,
  CommandNotSupported: 7,
  AddressTypeNotSupported: 8,
} as const;

/** One of {@linkcode SocksReply}. */
export type SocksReply = typeof SocksReply[keyof typeof SocksReply];

/** What a command asks by SOCKS. */
export type SocksRequest =
  | { readonly kind: "connect"; readonly host: Host; readonly port: number }
  /** Something else than a connection by TCP, or to no host. */
  | { readonly kind: "refused"; readonly reply: SocksReply }
  /** It is no SOCKS, or ended too early; there is nothing to answer. */
  | { readonly kind: "malformed" };

/**
 * Reads up to the request, and answers the choice of authentication on the way.
 *
 * @param password what has to be said, if anything has
 */
export async function readSocksRequest(
  stream: ByteStream,
  reader: StreamReader,
  password: ProxyPassword | undefined,
): Promise<SocksRequest> {
  const greeting = await reader.exactly(2);
  const methods = await reader.exactly(greeting?.[1] ?? 0);
  if (greeting?.[0] !== SOCKS_VERSION || methods === undefined) return { kind: "malformed" };
  const method = password === undefined ? NO_AUTHENTICATION : USER_AND_PASSWORD;
  const offered = methods.includes(method);
  await writeAll(stream, Uint8Array.of(SOCKS_VERSION, offered ? method : NO_METHOD));
  if (!offered) return { kind: "malformed" };
  if (password !== undefined && !await saysPassword(stream, reader, password)) {
    return { kind: "malformed" };
  }
  const request = await reader.exactly(4);
  if (request?.[0] !== SOCKS_VERSION) return { kind: "malformed" };
  const host = await readHost(reader, request[3]);
  const port = await reader.exactly(2);
  if (host === undefined || port === undefined) return { kind: "malformed" };
  if (request[1] !== CONNECT) return refused(SocksReply.CommandNotSupported);
  if (host === "unknownType") return refused(SocksReply.AddressTypeNotSupported);
  if (host === "noHost") return refused(SocksReply.NotAllowed);
  return { kind: "connect", host, port: (port[0] ?? 0) * 256 + (port[1] ?? 0) };
}

/** Reads a name and a password, and answers whether they are right (RFC 1929). */
async function saysPassword(
  stream: ByteStream,
  reader: StreamReader,
  password: ProxyPassword,
): Promise<boolean> {
  const version = await reader.exactly(1);
  const given: string[] = [];
  for (let part = 0; part < 2; part++) {
    const length = await reader.exactly(1);
    const bytes = await reader.exactly(length?.[0] ?? 0);
    if (length === undefined || bytes === undefined) return false;
    given.push(new TextDecoder().decode(bytes));
  }
  const [user = "", text = ""] = given;
  const right = version?.[0] === USER_AND_PASSWORD_VERSION && password.is(user, text);
  await writeAll(stream, Uint8Array.of(USER_AND_PASSWORD_VERSION, right ? ACCEPTED : REFUSED));
  return right;
}

/** Answers a request. The address that it came from is nobody's business. */
export async function answerSocks(stream: ByteStream, reply: SocksReply): Promise<void> {
  await writeAll(
    stream,
    Uint8Array.of(SOCKS_VERSION, reply, 0, AddressType.Ipv4, 0, 0, 0, 0, 0, 0),
  );
}

function refused(reply: SocksReply): SocksRequest {
  return { kind: "refused", reply };
}

async function readHost(
  reader: StreamReader,
  type: number | undefined,
): Promise<Host | "unknownType" | "noHost" | undefined> {
  switch (type) {
    case AddressType.Ipv4:
      return addressHost(await reader.exactly(4));
    case AddressType.Ipv6:
      return addressHost(await reader.exactly(16));
    case AddressType.Name: {
      const length = await reader.exactly(1);
      const name = await reader.exactly(length?.[0] ?? 0);
      return length === undefined || name === undefined ? undefined : namedHost(name);
    }
    default:
      return "unknownType";
  }
}

function addressHost(bytes: Uint8Array | undefined): Host | undefined {
  return bytes === undefined ? undefined : hostOfAddress(ipaddr.fromByteArray([...bytes]));
}

function namedHost(bytes: Uint8Array): Host | "noHost" {
  try {
    return parseHost(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return "noHost";
  }
}
