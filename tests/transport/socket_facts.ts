const functions = {
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const AF_INET = 2;
const SOL_SOCKET = 1;
const SO_KEEPALIVE = 9;
const SO_ACCEPTCONN = 30;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;

/** What the kernel says of a socket. */
export interface SocketFacts {
  readonly listening: boolean;
  readonly noDelay: boolean;
  readonly keepAlive: boolean;
  /** Seconds. */
  readonly keepAliveIdle: number;
  /** Seconds. */
  readonly keepAliveInterval: number;
}

/** Asks the kernel about all of this program's IPv4 sockets that are bound to a port (Linux). */
export function socketsOn(port: number): SocketFacts[] {
  const libc = Deno.dlopen("libc.so.6", functions);
  try {
    return Array.from(Deno.readDirSync("/proc/self/fd"), ({ name }) => Number(name))
      .filter((descriptor) => portOf(libc.symbols, descriptor) === port)
      .map((descriptor) => {
        const option = (level: number, name: number) => {
          const value = new Int32Array(1);
          const length = new Uint8Array(Uint32Array.of(4).buffer);
          const answer = new Uint8Array(value.buffer);
          libc.symbols.getsockopt(descriptor, level, name, answer, length);
          return value[0] ?? -1;
        };
        return {
          listening: option(SOL_SOCKET, SO_ACCEPTCONN) === 1,
          noDelay: option(IPPROTO_TCP, TCP_NODELAY) === 1,
          keepAlive: option(SOL_SOCKET, SO_KEEPALIVE) === 1,
          keepAliveIdle: option(IPPROTO_TCP, TCP_KEEPIDLE),
          keepAliveInterval: option(IPPROTO_TCP, TCP_KEEPINTVL),
        };
      });
  } finally {
    libc.close();
  }
}

type Libc = Deno.DynamicLibrary<typeof functions>["symbols"];

/** The port that a descriptor is bound to, if it is an IPv4 socket. */
function portOf(libc: Libc, descriptor: number): number | undefined {
  const address = new Uint8Array(16);
  const length = new Uint8Array(Uint32Array.of(address.length).buffer);
  if (libc.getsockname(descriptor, address, length) !== 0) return undefined;
  const view = new DataView(address.buffer);
  return view.getUint16(0, true) === AF_INET ? view.getUint16(2) : undefined;
}
