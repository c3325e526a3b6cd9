import { IPPROTO_TCP, SHUT_RDWR, SO_KEEPALIVE, SOL_SOCKET, TCP_NODELAY } from "../os/constants.ts";
import { log } from "../log/log.ts";
import { type SocketFunctions, withSockets } from "../os/own_sockets.ts";

/**
 * Seconds of silence after which the kernel sends a keepalive probe, seconds between probes, and probes
 * without an answer after which the connection has ended (tcp(7)): 18 s in all. A client tries for 25 s
 * to resume its session, and can do so only when the old connection has ended.
 */
const KEEPALIVE_IDLE = { option: Deno.build.os === "darwin" ? 0x10 : 4, value: 10 };
const KEEPALIVE_INTERVAL = { option: Deno.build.os === "darwin" ? 0x101 : 5, value: 4 };
const KEEPALIVE_COUNT = { option: Deno.build.os === "darwin" ? 0x102 : 6, value: 2 };

/**
 * Sets TCP_NODELAY and keepalive on a listening socket, from which accepted sockets inherit both.
 *
 * Deno offers neither for its HTTP server. With Nagle's algorithm a small message behind another
 * waits for the other side's delayed acknowledgement, 40 ms on loopback (RFC 896, RFC 1122 4.2.3.2).
 *
 * @param port the port that it listens on
 */
export function tuneListeningSocket(port: number): void {
  if (withSockets("own", { port }, tune) === 0 && Deno.build.os !== "windows") {
    log("warn", "TCP_NODELAY could not be set: small messages may wait 40 ms for each other");
  }
}

/**
 * Sets the same options on this program's connections to a port.
 *
 * @param port the peer's
 */
export function tuneConnectedSockets(port: number): void {
  withSockets("peer", { port }, tune);
}

/** A `struct sockaddr` of the family AF_UNSPEC. */
const NO_ADDRESS = new Uint8Array(16);

/**
 * Closes a connection whose peer does not take part in an orderly close. Connecting the socket to no
 * address resets the connection (connect(2)), so a peer that is sending learns of it at once; after an
 * orderly close its data could wait in the kernel's buffers for a minute.
 */
export function cutConnection(peer: Deno.NetAddr): void {
  withSockets("peer", peer, (libc, descriptor) => {
    // Wakes the reads that wait on the socket.
    libc.shutdown(descriptor, SHUT_RDWR);
    if (Deno.build.os === "linux") libc.connect(descriptor, NO_ADDRESS, NO_ADDRESS.length);
  });
}

function tune(libc: SocketFunctions, descriptor: number): void {
  const set = (level: number, option: number, value: number) =>
    libc.setsockopt(descriptor, level, option, new Uint8Array(Int32Array.of(value).buffer), 4);
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  for (const { option, value } of [KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_COUNT]) {
    set(IPPROTO_TCP, option, value);
  }
}
