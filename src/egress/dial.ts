import { DescriptorStream } from "../os/descriptor_stream.ts";
import type { Proxy } from "../http/proxy.ts";
import { resolve } from "./addresses.ts";
import type { IpAddress } from "./host.ts";
import { encodeHead, MessageError, readHead } from "./http_head.ts";
import { authorityOf } from "./authority.ts";
import type { Route, Target } from "./policy.ts";
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
export class DialError extends Error {
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
