import { delay } from "@std/async/delay";
import { addressesOf } from "../net/addresses.ts";
import { log, logSeldom } from "../log/log.ts";
import { isLoopback } from "./listen_address.ts";
import { normalizedHost } from "../os/own_sockets.ts";

/** Listens on one address of this machine; port 0 takes a free one. */
type Serve = (hostname: string, port: number) => Deno.HttpServer<Deno.NetAddr>;

/** How many free ports are tried until one is free on all addresses of a name. */
const MAX_PORT_ATTEMPTS = 10;

/**
 * Listens on every address of a host until it is stopped. Addresses that this machine does not have, as
 * those of IPv6 where it is off, are skipped if there are others.
 *
 * @param serve listens on one address
 * @returns the port, which is the same on all
 * @throws the system's error when an address cannot be listened on
 */
export async function listenOnAll(
  { hostname, port }: { readonly hostname: string; readonly port: number },
  serve: Serve,
  stopped: AbortSignal,
): Promise<number> {
  const addresses = await addressesOf(hostname);
  if (isLoopback(hostname) && !addresses.every(isLoopback)) {
    throw new Error(`${hostname} has an address that others can reach: ${addresses.join(", ")}`);
  }
  for (let attempt = 1;; attempt++) {
    const servers = new Map<string, Deno.HttpServer<Deno.NetAddr>>();
    let chosen = port;
    try {
      for (const address of addresses) {
        const last = servers.size === 0 && address === addresses.at(-1);
        const server = serveIfThere(address, chosen, serve, last);
        if (server === undefined) continue;
        servers.set(address, server);
        refuseOther(server.addr, address, chosen);
        chosen = server.addr.port;
      }
      for (const [address, server] of servers) {
        void keepListening(server, () => serve(address, chosen), stopped);
      }
      return chosen;
    } catch (error) {
      await Promise.all(servers.values().map((server) => server.shutdown()));
      const taken = error instanceof Deno.errors.AddrInUse;
      if (!taken || port !== 0 || attempt >= MAX_PORT_ATTEMPTS) throw error;
    }
  }
}

/** @param last whether there is no other address left */
function serveIfThere(
  address: string,
  port: number,
  serve: Serve,
  last: boolean,
): Deno.HttpServer<Deno.NetAddr> | undefined {
  try {
    return serve(address, port);
  } catch (error) {
    if (last || !(error instanceof Deno.errors.AddrNotAvailable)) throw error;
    log("warn", "this machine does not have an address of its name", { address });
    return undefined;
  }
}

/**
 * Checks that the runtime listens on the given address, which environment variables can override.
 */
function refuseOther(actual: Deno.NetAddr, hostname: string, port: number): void {
  const sameHost = normalizedHost(actual.hostname) === normalizedHost(hostname);
  if (sameHost && (port === 0 || actual.port === port)) return;
  throw new Error(`the runtime listens on ${actual.hostname}, port ${actual.port}, instead`);
}

/** Pause before listening again after accepting failed, in milliseconds. */
const ACCEPT_AGAIN_MS = 100;

/**
 * Listens again whenever Deno's server has stopped. It stops when it cannot accept a connection for want
 * of a descriptor, which clients can cause and which passes.
 */
async function keepListening(
  server: Deno.HttpServer,
  again: () => Deno.HttpServer,
  stopped: AbortSignal,
): Promise<void> {
  let current: Deno.HttpServer | undefined = server;
  while (!stopped.aborted) {
    try {
      await current?.finished;
      if (stopped.aborted) return;
      current = again();
    } catch (error) {
      if (current !== undefined) {
        const reason = error instanceof Error ? error.message : String(error);
        logSeldom("error", "cannot accept connections for now", { reason }, "accept");
      }
      current = undefined;
      await delay(ACCEPT_AGAIN_MS, { signal: stopped }).catch(() => {});
    }
  }
}
