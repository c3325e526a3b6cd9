import { log } from "../telemetry/log.ts";

const functions = {
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const LIBRARIES: Readonly<Record<string, string>> = {
  linux: "libc.so.6",
  darwin: "libSystem.dylib",
};

const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const SOL_SOCKET = Deno.build.os === "darwin" ? 0xffff : 1;
const SO_KEEPALIVE = Deno.build.os === "darwin" ? 8 : 9;
/** Seconds of silence before the kernel asks whether the other side is still there (tcp(7)). */
const KEEPALIVE_IDLE = { option: Deno.build.os === "darwin" ? 0x10 : 4, seconds: 15 };
const KEEPALIVE_INTERVAL = { option: Deno.build.os === "darwin" ? 0x101 : 5, seconds: 5 };
/** struct sockaddr_in6 is the larger of the two. */
const ADDRESS_BYTES = 28;

type Libc = Deno.DynamicLibrary<typeof functions>["symbols"];

/**
 * Makes the connections that a listening socket will accept send small messages at once, and notice
 * when the other side's machine is gone. Accepted sockets inherit both.
 *
 * Deno offers neither for its HTTP server. With Nagle's algorithm a small message behind another
 * waits for the other side's delayed acknowledgement, 40 ms on loopback (RFC 896, RFC 1122 4.2.3.2).
 *
 * @param port the one that it listens on
 */
export function tuneListeningSocket(port: number): void {
  const tuned = tuneSockets((libc) => libc.getsockname, port);
  if (tuned === 0 && LIBRARIES[Deno.build.os] !== undefined) {
    log("warn", "TCP_NODELAY could not be set: small messages may wait 40 ms for each other");
  }
}

/**
 * The same for this program's connections to a port, which Deno's WebSocket client opens.
 *
 * @param port the other side's
 */
export function tuneConnectedSockets(port: number): void {
  tuneSockets((libc) => libc.getpeername, port);
}

/** Sets the options of all sockets whose name, of one end or the other, has a port. */
function tuneSockets(nameOf: (libc: Libc) => Libc["getsockname"], port: number): number {
  const library = LIBRARIES[Deno.build.os];
  if (library === undefined) return 0;
  const libc = Deno.dlopen(library, functions);
  const descriptors = socketsWithPort(nameOf(libc.symbols), port);
  for (const descriptor of descriptors) tuneSocket(libc.symbols, descriptor);
  libc.close();
  return descriptors.length;
}

function tuneSocket(libc: Libc, descriptor: number): void {
  const set = (level: number, option: number, value: number) =>
    libc.setsockopt(descriptor, level, option, new Uint8Array(Int32Array.of(value).buffer), 4);
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, KEEPALIVE_IDLE.option, KEEPALIVE_IDLE.seconds);
  set(IPPROTO_TCP, KEEPALIVE_INTERVAL.option, KEEPALIVE_INTERVAL.seconds);
}

function socketsWithPort(nameOf: Libc["getsockname"], port: number): number[] {
  const address = new Uint8Array(ADDRESS_BYTES);
  const view = new DataView(address.buffer);
  const descriptors = Array.from(Deno.readDirSync("/dev/fd"), ({ name }) => Number(name));
  return descriptors.filter((descriptor) => {
    const length = new Uint8Array(Uint32Array.of(ADDRESS_BYTES).buffer);
    const isSocket = nameOf(descriptor, address, length) === 0;
    return isSocket && isInternet(view) && view.getUint16(2) === port;
  });
}

/** The family is a byte behind the structure's length on macOS, and the first 16 bits on Linux. */
function isInternet(address: DataView): boolean {
  return Deno.build.os === "darwin"
    ? [2, 30].includes(address.getUint8(1))
    : [2, 10].includes(address.getUint16(0, true));
}
