import { DescriptorStream } from "../os/descriptor_stream.ts";
import type { Proxy } from "../http/proxy.ts";
import { resolve } from "./addresses.ts";
import type { IpAddress } from "./host.ts";
import { authorityOf } from "../http/url.ts";
import { encodeHead, MessageError, readHead } from "./http_head.ts";
import type { Route, Target, Verdict } from "./policy.ts";
import type { ProxyPassword } from "./port_entrance.ts";
import { type ByteStream, StreamReader, writeAll } from "./stream.ts";

/** Connects to one address. @throws when that fails or is aborted */
export type Connector = (
  address: IpAddress,
  port: number,
  signal: AbortSignal,
) => Promise<ByteStream>;

/** Connects by the system's sockets, which can be joined without a detour through this program. */
export const connectByDescriptor: Connector = (address, port, signal) =>
  DescriptorStream.connect(address.toByteArray(), port, signal);

/** How long one address may take, in milliseconds. */
const CONNECT_TIMEOUT_MS = 15_000;

/** There is no connection. The message says with whom, and not why: that is other people's network. */
class DialError extends Error {
  override readonly name = "DialError";
}

/** A connection to the outside, and what it has said so far. */
export interface Outside {
  readonly stream: ByteStream;
  readonly reader: StreamReader;
}

/** Connects to the first of some addresses that takes it. @throws {DialError} */
export async function dialAddresses(
  addresses: readonly IpAddress[],
  port: number,
  connect: Connector,
  signal: AbortSignal,
): Promise<ByteStream> {
  for (const address of addresses) {
    // Cheaper than signals of the runtime's own, of which there would be one for every connection.
    const attempt = new AbortController();
    const abort = () => attempt.abort(signal.reason);
    signal.addEventListener("abort", abort);
    const timer = setTimeout(() => attempt.abort(), CONNECT_TIMEOUT_MS);
    try {
      signal.throwIfAborted();
      return await connect(address, port, attempt.signal);
    } catch (error) {
      if (signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }
  throw new DialError("cannot connect");
}

/** Opens a tunnel to a target. @throws {DialError} */
export async function dialTunnel(
  target: Target,
  route: Route,
  connect: Connector,
  signal: AbortSignal,
): Promise<Outside> {
  const found = outside(await dialServer(target, route, connect, signal));
  if (route.kind === "direct") return found;
  try {
    await openThroughProxy(found, target, route.proxy);
    return found;
  } catch (error) {
    found.stream.close();
    if (error instanceof MessageError) throw new DialError(error.message);
    throw error;
  }
}

/** Connects to whom a request for a target is sent. @throws {DialError} */
export async function dialServer(
  target: Target,
  route: Route,
  connect: Connector,
  signal: AbortSignal,
): Promise<ByteStream> {
  return route.kind === "direct"
    ? await dialAddresses(route.addresses, target.port, connect, signal)
    : await dialProxy(route.proxy, connect, signal);
}

/** Connects to a proxy of the executor's own, wherever it is. @throws {DialError} */
async function dialProxy(
  { host, port }: Proxy,
  connect: Connector,
  signal: AbortSignal,
): Promise<ByteStream> {
  const addresses = await resolve(host).catch(() => []);
  return await dialAddresses(addresses, port, connect, signal);
}

/** RFC 9110, section 9.3.6. */
async function openThroughProxy(
  { stream, reader }: Outside,
  { host, port }: Target,
  { authorization }: Proxy,
): Promise<void> {
  const authority = authorityOf(host, port);
  const fields = [{ name: "Host", value: authority }];
  if (authorization !== undefined) {
    fields.push({ name: "Proxy-Authorization", value: authorization });
  }
  await writeAll(stream, encodeHead({ start: `CONNECT ${authority} HTTP/1.1`, fields }));
  const head = await readHead(reader);
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(head?.start ?? "")?.[1];
  if (status?.startsWith("2") !== true) {
    throw new DialError(`the proxy of this executor answered ${status ?? "nothing"}`);
  }
}

/** A connection of which nothing has been read. */
export function outside(stream: ByteStream): Outside {
  return { stream, reader: new StreamReader(stream) };
}

/** What serving one connection takes. */
export interface ProxyContext {
  readonly connect: Connector;
  /** What the command has to say first; undefined where nobody else can connect. */
  readonly password: ProxyPassword | undefined;
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

/** Why a command does not get a connection. */
export type Refusal = Exclude<Verdict, { readonly kind: "allowed" }>;

/** What became of the wish to reach a target. */
export type Admission<Outside> =
  /** There is a connection, which whoever asked has to close. */
  | { readonly kind: "admitted"; readonly outside: Outside; readonly route: Route }
  | Refusal;

/** Has a target judged and, if it may be reached, connects to it. Both is written down. */
export async function admit<Outside>(
  target: Target,
  context: ProxyContext,
  dial: (
    target: Target,
    route: Route,
    connect: Connector,
    signal: AbortSignal,
  ) => Promise<Outside>,
): Promise<Admission<Outside>> {
  const verdict = await context.judge(target);
  if (verdict.kind !== "allowed") return verdict;
  const { route } = verdict;
  try {
    const outside = await dial(target, route, context.connect, context.signal);
    context.reached(target);
    return { kind: "admitted", outside, route };
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    const { host, port } = target;
    return { kind: "unreachable", message: `${authorityOf(host, port)}: ${error.message}` };
  }
}
