import { addressesOf } from "./addresses.ts";

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
