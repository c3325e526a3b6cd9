import { addressesOf } from "./addresses.ts";

/** What carries bytes both ways: a connection of the runtime's, or something like it. */
export type ByteStream = Pick<Deno.Conn, "read" | "write" | "close">;

/** The server of an encrypted connection, and whom to trust about it. */
export interface TlsOptions {
  /** The name that the certificate must be for, without brackets. */
  readonly hostname: string;
  /** Certificates to be trusted besides the usual ones, in PEM format. @default none */
  readonly caCerts?: readonly string[] | undefined;
}

/**
 * Encrypts a connection (TLS), over which HTTP/1.1 is spoken. The connection is closed if that fails
 * or the signal aborts meanwhile.
 *
 * @throws {Deno.errors.InvalidData} when the server does not encrypt or its certificate is refused
 * @throws {Error} when the connection breaks
 */
export async function encrypt(
  connection: Deno.TcpConn,
  { hostname, caCerts = [] }: TlsOptions,
  signal: AbortSignal,
): Promise<Deno.TlsConn> {
  const alpnProtocols = ["http/1.1"];
  const secured = await Deno.startTls(connection, {
    hostname,
    alpnProtocols,
    caCerts: [...caCerts],
  });
  using _closing = closeAtAbort(secured, signal);
  try {
    await secured.handshake();
    return secured;
  } catch (error) {
    closeQuietly(secured);
    throw error;
  }
}

/** Closes a connection when a signal aborts, or has aborted, until the result is disposed of. */
export function closeAtAbort(connection: Deno.Conn, signal: AbortSignal): Disposable {
  const close = () => closeQuietly(connection);
  if (signal.aborted) close();
  else signal.addEventListener("abort", close, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", close) };
}

/** Closes a connection, which may be closed already. */
export function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It is closed, or has become an encrypted one that is closed on its own.
  }
}

/** Writes all of the bytes; one write of Deno's may take only a part of them. */
export async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) {
    rest = rest.subarray(await connection.write(rest));
  }
}

/** Where to connect to. */
export interface HostAndPort {
  /** A name, or an address without brackets. */
  readonly hostname: string;
  readonly port: number;
}

/**
 * How long an address may keep the next one waiting, in milliseconds (RFC 8305, section 5,
 * "Connection Attempt Delay").
 */
const ATTEMPT_DELAY_MS = 250;

/**
 * Connects to the first address of a host that answers: addresses of both families are tried in
 * turn, each next one when the last has failed or is slow (RFC 8305, "Happy Eyeballs").
 *
 * @throws {Deno.errors.NotFound} for a name that has no address
 * @throws {Error} when none answers, for the reason of the last; or when the signal aborts
 */
export async function connectTcp(
  { hostname, port }: HostAndPort,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  const addresses = inTurns(await addressesOf(hostname));
  signal.throwIfAborted();
  const decided = new AbortController();
  const given = AbortSignal.any([signal, decided.signal]);
  const attempts: Promise<Deno.TcpConn>[] = [];
  try {
    for (const address of addresses) {
      const attempt = Deno.connect({ hostname: address, port, signal: given });
      attempts.push(attempt);
      attempt.catch(() => {});
      const connection = await soon(attempts, attempt);
      if (connection !== undefined) return connection;
    }
    return await Promise.any(attempts);
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof AggregateError ? error.errors.at(-1) : error;
  } finally {
    decided.abort();
    void closeLate(attempts);
  }
}

/** A connection, if one is made before the newest attempt fails or becomes slow. */
async function soon(
  attempts: readonly Promise<Deno.TcpConn>[],
  newest: Promise<Deno.TcpConn>,
): Promise<Deno.TcpConn | undefined> {
  const { promise: slow, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ATTEMPT_DELAY_MS);
  const failed = newest.then(() => slow, () => undefined);
  try {
    return await Promise.race([Promise.any(attempts).catch(() => undefined), failed, slow]);
  } finally {
    clearTimeout(timer);
    resolve(undefined);
  }
}

/** All but the first connection are of no use. */
async function closeLate(attempts: readonly Promise<Deno.TcpConn>[]): Promise<void> {
  const first = await Promise.any(attempts).catch(() => undefined);
  for (const attempt of attempts) {
    attempt.then((connection) => connection !== first && connection.close(), () => {});
  }
}

/** Families in turns, beginning with that of the first (RFC 8305, section 4). */
function inTurns(addresses: readonly string[]): string[] {
  const first = addresses.filter((address) => isIpv6(address) === isIpv6(addresses[0] ?? ""));
  const other = addresses.filter((address) => !first.includes(address));
  const length = Math.max(first.length, other.length);
  return Array.from({ length }, (_, index) => [first[index], other[index]]).flat()
    .filter((address) => address !== undefined);
}

function isIpv6(address: string): boolean {
  return address.includes(":");
}
