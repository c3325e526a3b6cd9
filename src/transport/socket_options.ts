import { log } from "../telemetry/log.ts";

const functions = {
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
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

/**
 * Makes the connections that a listening socket will accept send small messages at once, and notice
 * when the other side's machine is gone. Accepted sockets inherit both.
 *
 * Deno offers neither for its HTTP server. With Nagle's algorithm a small message behind another
 * waits for the client's delayed acknowledgement, 40 ms on loopback (RFC 896, RFC 1122 4.2.3.2).
 */
export function tuneListeningSocket(port: number): void {
  const library = LIBRARIES[Deno.build.os];
  if (library === undefined) return;
  const libc = Deno.dlopen(library, functions);
  const descriptor = listeningDescriptor(libc.symbols, port);
  if (descriptor === undefined) {
    log("warn", "TCP_NODELAY could not be set: small messages may wait 40 ms for each other");
    return;
  }
  const set = (level: number, option: number, value: number) =>
    libc.symbols.setsockopt(
      descriptor,
      level,
      option,
      new Uint8Array(Int32Array.of(value).buffer),
      4,
    );
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, KEEPALIVE_IDLE.option, KEEPALIVE_IDLE.seconds);
  set(IPPROTO_TCP, KEEPALIVE_INTERVAL.option, KEEPALIVE_INTERVAL.seconds);
}

/** The descriptor of this program's own socket that is bound to a TCP port. */
function listeningDescriptor(
  libc: Deno.DynamicLibrary<typeof functions>["symbols"],
  port: number,
): number | undefined {
  const address = new Uint8Array(ADDRESS_BYTES);
  const view = new DataView(address.buffer);
  for (const entry of Deno.readDirSync("/dev/fd")) {
    const length = new Uint8Array(Uint32Array.of(ADDRESS_BYTES).buffer);
    const descriptor = Number(entry.name);
    const isSocket = libc.getsockname(descriptor, address, length) === 0;
    if (isSocket && isInternet(view) && view.getUint16(2) === port) return descriptor;
  }
  return undefined;
}

/** The family is a byte behind the structure's length on macOS, and the first 16 bits on Linux. */
function isInternet(address: DataView): boolean {
  return Deno.build.os === "darwin"
    ? [2, 30].includes(address.getUint8(1))
    : [2, 10].includes(address.getUint16(0, true));
}
