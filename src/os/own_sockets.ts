import { AF_INET, AF_INET6, AF_UNIX, IPPROTO_TCP, SHUT_RDWR, SOL_SOCKET } from "./constants.ts";
import { closeDescriptor } from "./descriptor.ts";
import { lastErrno } from "./errno.ts";
import { hasLibrary, libraryTable } from "./libc.ts";
import { signalHeldProcess } from "./pidfd.ts";

const functions = libraryTable({
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
});

/** The C library's functions for sockets. */
export type SocketFunctions = ReturnType<typeof functions>;

/** Which end of a socket's connection. */
export type SocketEnd = "own" | "peer";

/** struct sockaddr_in6 is the larger of the two. */
const ADDRESS_BYTES = 28;

/**
 * Does something with this program's internet sockets of which one end has a port and, if given, an
 * address. Deno opens them but does not tell their descriptors.
 *
 * @returns how many there were; 0 where there is no library for it
 */
export function withSockets(
  end: SocketEnd,
  { port, hostname }: { readonly port: number; readonly hostname?: string },
  action: (libc: SocketFunctions, descriptor: number) => void,
): number {
  if (!hasLibrary()) return 0;
  const libc = functions();
  const nameOf = end === "own" ? libc.getsockname : libc.getpeername;
  const found = descriptors().filter((descriptor) => {
    const address = addressOf(nameOf, descriptor);
    return address?.port === port &&
      (hostname === undefined || address.host === normalizedHost(hostname));
  });
  for (const descriptor of found) action(libc, descriptor);
  return found.length;
}

/** An end of a connection, or where a socket listens. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** One of this program's internet sockets. */
export interface OwnSocket {
  readonly own: SocketAddress;
  /** The other side; undefined for a socket that has none. */
  readonly peer: SocketAddress | undefined;
}

/** This program's internet sockets, those of the runtime included. */
export function ownInternetSockets(): OwnSocket[] {
  const libc = functions();
  return descriptors().flatMap((descriptor) => {
    const own = addressOf(libc.getsockname, descriptor);
    return own === undefined ? [] : { own, peer: addressOf(libc.getpeername, descriptor) };
  });
}

/** A connection that was accepted at a unix socket with a path. */
export interface AcceptedUnixSocket {
  readonly descriptor: number;
  /** Different for every socket there has been. */
  readonly inode: string;
  /** Who connected, 0 if that is not to be seen from here (SO_PEERCRED, unix(7)). */
  readonly pid: number;
  /**
   * Whether that process has ended, so that its number may be another's. Not known before Linux 6.5
   * (SO_PEERPIDFD): false then.
   */
  readonly ended: boolean;
}

const SO_PEERCRED = 17;
const SO_PEERPIDFD = 77;
/** The kernel does not know an option. */
const ENOPROTOOPT = 92;
/** `struct sockaddr_un`, in which a path begins after the family (unix(7)). */
const UNIX_ADDRESS_BYTES = 110;
const UNIX_PATH_OFFSET = 2;

/** This program's connections at its unix sockets. Linux only. */
export function acceptedUnixSockets(): AcceptedUnixSocket[] {
  const libc = functions();
  return descriptors().flatMap((descriptor) => acceptedUnixSocket(libc, descriptor) ?? []);
}

/** Ends connections, whatever else is about to be done with them. */
export function shutDownSockets(sockets: readonly number[]): void {
  for (const descriptor of sockets) functions().shutdown(descriptor, SHUT_RDWR);
}

/** Only a socket that was accepted has both a path of its own and another side. */
function acceptedUnixSocket(
  libc: SocketFunctions,
  descriptor: number,
): AcceptedUnixSocket | undefined {
  const own = new Uint8Array(UNIX_ADDRESS_BYTES);
  const length = new Uint8Array(Uint32Array.of(UNIX_ADDRESS_BYTES).buffer);
  if (libc.getsockname(descriptor, own, length) !== 0 || own[0] !== AF_UNIX) return undefined;
  if (own[UNIX_PATH_OFFSET] === 0) return undefined;
  const peer = new Uint8Array(UNIX_ADDRESS_BYTES);
  if (libc.getpeername(descriptor, peer, length) !== 0) return undefined;
  // struct ucred: pid, uid and gid.
  const credentials = new Int32Array(3);
  const size = new Uint8Array(Uint32Array.of(credentials.byteLength).buffer);
  const bytes = new Uint8Array(credentials.buffer);
  if (libc.getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, bytes, size) !== 0) return undefined;
  try {
    const inode = Deno.readLinkSync(`/proc/self/fd/${descriptor}`);
    return { descriptor, inode, pid: credentials[0] ?? 0, ended: hasPeerEnded(libc, descriptor) };
  } catch {
    return undefined;
  }
}

function hasPeerEnded(libc: SocketFunctions, descriptor: number): boolean {
  const answer = new Int32Array(1);
  const size = new Uint8Array(Uint32Array.of(answer.byteLength).buffer);
  const bytes = new Uint8Array(answer.buffer);
  if (libc.getsockopt(descriptor, SOL_SOCKET, SO_PEERPIDFD, bytes, size) !== 0) {
    return lastErrno() !== ENOPROTOOPT;
  }
  const process = answer[0] ?? 0;
  const ended = signalHeldProcess(process, 0, null) !== 0;
  closeDescriptor(process);
  return ended;
}

/** The port at the other side of a connection; undefined for a socket that has no other side. */
export function peerPort(libc: SocketFunctions, descriptor: number): number | undefined {
  return addressOf(libc.getpeername, descriptor)?.port;
}

const TCP_INFO = 11;
/** Where `struct tcp_info` has `tcpi_bytes_received`, and where that ends (linux/tcp.h). */
const BYTES_RECEIVED = 128;
const INFO_BYTES = 136;

/**
 * How many bytes have come in on each of this program's TCP connections since it was opened, by its
 * peer as {@linkcode peerKey} names it. Linux only; empty elsewhere.
 */
export function receivedBytes(): Map<string, number> {
  const received = new Map<string, number>();
  if (Deno.build.os !== "linux") return received;
  const libc = functions();
  for (const descriptor of descriptors()) {
    const peer = addressOf(libc.getpeername, descriptor);
    if (peer === undefined) continue;
    const info = new DataView(new ArrayBuffer(INFO_BYTES));
    const length = new Uint8Array(Uint32Array.of(INFO_BYTES).buffer);
    const bytes = new Uint8Array(info.buffer);
    if (libc.getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, bytes, length) !== 0) continue;
    received.set(socketKey(peer), Number(info.getBigUint64(BYTES_RECEIVED, true)));
  }
  return received;
}

/** What {@linkcode receivedBytes} calls a peer. */
export function peerKey({ hostname, port }: Deno.NetAddr): string {
  return socketKey({ host: normalizedHost(hostname), port });
}

/** One text for each address and port. */
export function socketKey({ host, port }: SocketAddress): string {
  return `${host} ${port}`;
}

function descriptors(): number[] {
  return Array.from(Deno.readDirSync("/dev/fd"), ({ name }) => Number(name));
}

function addressOf(
  nameOf: SocketFunctions["getsockname"],
  descriptor: number,
): SocketAddress | undefined {
  const view = new DataView(new ArrayBuffer(ADDRESS_BYTES));
  const length = new Uint8Array(Uint32Array.of(ADDRESS_BYTES).buffer);
  if (nameOf(descriptor, new Uint8Array(view.buffer), length) !== 0) return undefined;
  const host = hostOf(view);
  return host === undefined ? undefined : { host, port: view.getUint16(2) };
}

const MACOS_AF_INET6 = 30;

/** The family is a byte behind the structure's length on macOS, and the first 16 bits on Linux. */
function hostOf(address: DataView): string | undefined {
  const macos = Deno.build.os === "darwin";
  const family = macos ? address.getUint8(1) : address.getUint16(0, true);
  if (family === AF_INET) {
    return Array.from({ length: 4 }, (_, index) => address.getUint8(4 + index)).join(".");
  }
  if (family !== (macos ? MACOS_AF_INET6 : AF_INET6)) return undefined;
  const groups = Array.from({ length: 8 }, (_, index) => address.getUint16(8 + 2 * index));
  return normalizedHost(groups.map((group) => group.toString(16)).join(":"));
}

/** One spelling for each address. */
export function normalizedHost(host: string): string {
  return host.includes(":") ? new URL(`http://[${host}]`).hostname : host;
}
