import { AF_INET, AF_INET6, AF_NETLINK, IPPROTO_TCP, SOCK_CLOEXEC, SOCK_RAW } from "./constants.ts";
import { closeDescriptor, type Descriptor } from "./descriptor.ts";
import { libraryTable } from "./libc.ts";

const functions = libraryTable({
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
});

/** An end of a TCP connection. Addresses are 16 bytes, those of IPv4 mapped (RFC 4291, 2.5.5.2). */
export interface TcpEnd {
  readonly address: Uint8Array;
  readonly port: number;
}

/** What the kernel says of a TCP socket. */
export interface TcpSocket {
  /** 0 when no process has the socket any more. */
  readonly inode: number;
  /** The user that owns it. */
  readonly uid: number;
}

const NETLINK_SOCK_DIAG = 4;
const SOCK_DIAG_BY_FAMILY = 20;
const NLM_F_REQUEST = 1;
const TCP_LISTEN = 10;
const ANY_STATE = 0xffff_ffff;
const NO_COOKIE = 0xffff_ffff;

/** `struct nlmsghdr` and `struct inet_diag_req_v2` (sock_diag(7)). */
const HEADER_BYTES = 16;
const REQUEST_BYTES = HEADER_BYTES + 56;
/** Larger than `struct inet_diag_msg` with the attributes that come unasked. */
const ANSWER_BYTES = 4096;

/**
 * Looks up the socket in this network namespace that is connected from one end to the other
 * (sock_diag(7)). Needs no privilege. Undefined when there is none, or the kernel does not answer
 * such questions.
 */
export function findTcpSocket(from: TcpEnd, to: TcpEnd): TcpSocket | undefined {
  const libc = functions();
  const socket = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  try {
    if (socket < 0) return undefined;
    const request = requestFor(from, to);
    if (libc.send(socket, request, BigInt(request.length), 0) < 0n) return undefined;
    const answer = new Uint8Array(ANSWER_BYTES);
    const length = Number(libc.recv(socket, answer, BigInt(answer.length), 0));
    return length < 0 ? undefined : readAnswer(new DataView(answer.buffer, 0, length), to.port);
  } finally {
    closeIfOpen(socket);
  }
}

/** Whether an address is one of IPv4, in the form that IPv6 has for those. */
export function isMapped(address: Uint8Array): boolean {
  return address.subarray(0, 10).every((byte) => byte === 0) && address[10] === 0xff &&
    address[11] === 0xff;
}

function closeIfOpen(socket: Descriptor): void {
  if (socket >= 0) closeDescriptor(socket);
}

function requestFor(from: TcpEnd, to: TcpEnd): Uint8Array<ArrayBuffer> {
  const mapped = isMapped(from.address) && isMapped(to.address);
  const view = new DataView(new ArrayBuffer(REQUEST_BYTES));
  view.setUint32(0, REQUEST_BYTES, true);
  view.setUint16(4, SOCK_DIAG_BY_FAMILY, true);
  view.setUint16(6, NLM_F_REQUEST, true);
  view.setUint8(16, mapped ? AF_INET : AF_INET6);
  view.setUint8(17, IPPROTO_TCP);
  view.setUint32(20, ANY_STATE, true);
  view.setUint16(24, from.port);
  view.setUint16(26, to.port);
  const bytes = new Uint8Array(view.buffer);
  bytes.set(mapped ? from.address.subarray(12) : from.address, 28);
  bytes.set(mapped ? to.address.subarray(12) : to.address, 44);
  view.setUint32(64, NO_COOKIE, true);
  view.setUint32(68, NO_COOKIE, true);
  return bytes;
}

/** The kernel answers with a listener on the same port where it finds no connection. */
function readAnswer(answer: DataView, remotePort: number): TcpSocket | undefined {
  if (answer.byteLength < HEADER_BYTES + 72) return undefined;
  if (answer.getUint16(4, true) !== SOCK_DIAG_BY_FAMILY) return undefined;
  const state = answer.getUint8(HEADER_BYTES + 1);
  if (state === TCP_LISTEN || answer.getUint16(HEADER_BYTES + 6) !== remotePort) return undefined;
  return {
    uid: answer.getUint32(HEADER_BYTES + 64, true),
    inode: answer.getUint32(HEADER_BYTES + 68, true),
  };
}
