import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  IPPROTO_IP,
  IPPROTO_TCP,
  SHUT_WR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_NODELAY,
} from "./constants.ts";
import { closeDescriptor, type Descriptor } from "./descriptor.ts";
import { describeErrno, EINPROGRESS, lastErrno } from "./errno.ts";
import { libraryTable } from "./libc.ts";

const calls = libraryTable({
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  socketpair: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  splice: {
    parameters: ["i32", "buffer", "i32", "buffer", "usize", "u32"],
    result: "isize",
  },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
});

/** Something about a socket that the kernel refused. */
export class SocketError extends Error {
  override readonly name = "SocketError";
}

const LOOPBACK = [127, 0, 0, 1];
/** The same as an IPv4-mapped address (RFC 4291, section 2.5.5.2). */
const MAPPED_LOOPBACK = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...LOOPBACK];

const IP_FREEBIND = 15;
const SO_ERROR = 4;
const SO_LINGER = 13;
const SO_RCVTIMEO = 20;
const MSG_NOSIGNAL = 0x4000;
const SPLICE_F_MOVE = 1;
const SPLICE_F_NONBLOCK = 2;
/** The size of `struct sockaddr_storage`, and where the addresses of IPv4 and IPv6 have the port. */
const ADDRESS_BYTES = 128;
const PORT_OFFSET = 2;
/** As many as the kernel lets wait at the most (net.core.somaxconn). */
const BACKLOG = 4096;

/** A TCP socket that never waits, in the network namespace of this thread. @throws {SocketError} */
export function openTcpSocket(family: typeof AF_INET | typeof AF_INET6 = AF_INET): Descriptor {
  return checked(
    "a socket cannot be opened",
    calls().socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
  );
}

/** Two connected unix sockets that never wait, unless they are to. @throws {SocketError} */
export function openSocketPair({ blocking = false } = {}): readonly [Descriptor, Descriptor] {
  const pair = new Int32Array(2);
  const flags = SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK);
  checked(
    "sockets cannot be opened",
    calls().socketpair(
      AF_UNIX,
      SOCK_STREAM | flags,
      0,
      new Uint8Array(pair.buffer),
    ),
  );
  return [pair[0] ?? -1, pair[1] ?? -1];
}

/**
 * Lets a socket take connections to a port of 127.0.0.1 in its network namespace, whose loopback
 * device need not be up yet (IP_FREEBIND, ip(7)).
 *
 * @throws {SocketError}
 */
export function listenOnLoopback(socket: Descriptor, port: number): void {
  setOption(socket, IPPROTO_IP, IP_FREEBIND, 1);
  const address = ipv4SocketAddress(LOOPBACK, port);
  checked(`port ${port}`, calls().bind(socket, address, address.length));
  checked(`port ${port}`, calls().listen(socket, BACKLOG));
}

/** A socket that takes connections to a port of 127.0.0.1 that nobody else has. */
export interface LoopbackListener {
  readonly socket: Descriptor;
  readonly port: number;
}

/**
 * Opens one, on which {@linkcode acceptConnection} waits for so long at the most.
 *
 * @param patienceMs in milliseconds
 * @throws {SocketError}
 */
export function openLoopbackListener(patienceMs: number): LoopbackListener {
  const socket = checked(
    "a socket cannot be opened",
    calls().socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
  );
  try {
    const microseconds = (patienceMs % 1000) * 1000;
    const patience = BigInt64Array.of(BigInt(Math.trunc(patienceMs / 1000)), BigInt(microseconds));
    const bytes = new Uint8Array(patience.buffer);
    const set = calls().setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, bytes, bytes.length);
    checked("a socket that gives up", set);
    listenOnLoopback(socket, 0);
    return { socket, port: ownPort(socket) };
  } catch (error) {
    closeDescriptor(socket);
    throw error;
  }
}

/**
 * Connects a socket to a port of 127.0.0.1. Returns 0, or the negative error number.
 *
 * @param mapped whether it is a socket of IPv6
 */
export function connectToLoopback(socket: Descriptor, port: number, mapped: boolean): number {
  const address = mapped
    ? ipv6SocketAddress(MAPPED_LOOPBACK, port)
    : ipv4SocketAddress(LOOPBACK, port);
  return calls().connect(socket, address, address.length) === 0 ? 0 : -lastErrno();
}

/** The port of a TCP socket's own end. @throws {SocketError} if it is closed */
export function ownPort(socket: Descriptor): number {
  return checkedAddress(calls().getsockname, socket).getUint16(PORT_OFFSET);
}

/** Whether the other end of a TCP connection is, or was, a port of 127.0.0.1. */
export function comesFromLoopback(connection: Descriptor, port: number): boolean {
  try {
    const expected = ipv4SocketAddress(LOOPBACK, port);
    const address = new Uint8Array(checkedAddress(calls().getpeername, connection).buffer);
    return expected.every((byte, at) => byte === address[at]);
  } catch (error) {
    if (error instanceof SocketError) return false;
    throw error;
  }
}

function checkedAddress(
  ask: ReturnType<typeof calls>["getsockname"],
  socket: Descriptor,
): DataView<ArrayBuffer> {
  const address = new ArrayBuffer(ADDRESS_BYTES);
  const length = new Uint8Array(Uint32Array.of(ADDRESS_BYTES).buffer);
  checked("an address", ask(socket, new Uint8Array(address), length));
  return new DataView(address);
}

/** The next connection that waits, if one does and there is a descriptor left for it. */
export function acceptConnection(listener: Descriptor): Descriptor | undefined {
  const accepted = calls().accept4(listener, null, null, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (accepted < 0) return undefined;
  sendAtOnce(accepted);
  return accepted;
}

/**
 * Begins to connect to a port of 127.0.0.1; the socket is writable once it is clear whether it is
 * connected (connect(2), EINPROGRESS).
 *
 * @throws {SocketError} when there is no descriptor left
 */
export function beginConnecting(port: number): Descriptor {
  return beginConnectingTo(LOOPBACK, port);
}

/**
 * Begins to connect to a port of an address, 4 bytes of IPv4 or 16 of IPv6; the socket is writable
 * once it is clear whether it is connected.
 *
 * @throws {SocketError} when there is no descriptor left, or no way there
 */
export function beginConnectingTo(address: readonly number[], port: number): Descriptor {
  const ipv4 = address.length === LOOPBACK.length;
  const socket = openTcpSocket(ipv4 ? AF_INET : AF_INET6);
  sendAtOnce(socket);
  const bytes = ipv4 ? ipv4SocketAddress(address, port) : ipv6SocketAddress(address, port);
  if (calls().connect(socket, bytes, bytes.length) === 0) return socket;
  const errno = lastErrno();
  if (errno === EINPROGRESS) return socket;
  closeDescriptor(socket);
  throw new SocketError(`cannot connect: ${describeErrno(errno)}`);
}

/** Whether a socket that has become writable is connected. */
export function isConnected(socket: Descriptor): boolean {
  const error = new Int32Array([-1]);
  const length = new Uint32Array([error.byteLength]);
  const bytes = new Uint8Array(error.buffer);
  calls().getsockopt(socket, SOL_SOCKET, SO_ERROR, bytes, new Uint8Array(length.buffer));
  return error[0] === 0;
}

/** Reads what has arrived. 0 at the end of the stream, -1 if nothing has or the connection broke. */
export function receive(socket: Descriptor, buffer: Uint8Array<ArrayBuffer>): number {
  return Number(calls().recv(socket, buffer, BigInt(buffer.length), 0));
}

/** Returns how much the kernel took, -1 if it has no room or the connection broke. */
export function send(socket: Descriptor, bytes: Uint8Array<ArrayBuffer>): number {
  return Number(calls().send(socket, bytes, BigInt(bytes.length), MSG_NOSIGNAL));
}

/**
 * Moves bytes between a socket and a pipe, in either direction, within the kernel (splice(2)). 0 at
 * the end of the stream, -1 if nothing can be moved now or the connection broke.
 */
export function moveBytes(from: Descriptor, to: Descriptor, most: number): number {
  const flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
  return Number(calls().splice(from, null, to, null, BigInt(most), flags));
}

/** Tells the other side that nothing more comes. */
export function endSending(socket: Descriptor): void {
  calls().shutdown(socket, SHUT_WR);
}

/** Closes a connection so that the other side sees it broken instead of ended (SO_LINGER). */
export function resetConnection(socket: Descriptor): void {
  calls().setsockopt(
    socket,
    SOL_SOCKET,
    SO_LINGER,
    new Uint8Array(Int32Array.of(1, 0).buffer),
    8,
  );
  closeDescriptor(socket);
}

/** Whoever sends has decided already what belongs together (TCP_NODELAY, tcp(7)). */
function sendAtOnce(socket: Descriptor): void {
  setOption(socket, IPPROTO_TCP, TCP_NODELAY, 1);
}

function setOption(socket: Descriptor, level: number, option: number, value: number): void {
  const bytes = new Uint8Array(Int32Array.of(value).buffer);
  calls().setsockopt(socket, level, option, bytes, bytes.length);
}

/** `struct sockaddr_in` (ip(7)). */
function ipv4SocketAddress(address: readonly number[], port: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  address.forEach((byte, index) => view.setUint8(4 + index, byte));
  return new Uint8Array(view.buffer);
}

/** `struct sockaddr_in6` (ipv6(7)). */
function ipv6SocketAddress(address: readonly number[], port: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(28));
  view.setUint16(0, AF_INET6, true);
  view.setUint16(2, port);
  address.forEach((byte, index) => view.setUint8(8 + index, byte));
  return new Uint8Array(view.buffer);
}

function checked(what: string, result: number): number {
  if (result >= 0) return result;
  throw new SocketError(`${what}: ${describeErrno(lastErrno())}`);
}
