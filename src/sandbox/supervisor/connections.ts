import { AF_INET, AF_INET6, SOCK_CLOEXEC } from "../../os/constants.ts";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { Open } from "../../os/open_at.ts";
import { duplicate, FileType, setStatusFlags, statusFlags, statusOf } from "../../os/path_calls.ts";
import type { Architecture } from "../seccomp/profile.ts";
import { EGRESS_PORT } from "../policy/bound_policy.ts";
import { CallError, Errno, succeeded } from "./call_error.ts";
import type { Caller } from "./caller.ts";
import { type CallName, callNumber } from "./calls.ts";
import type { Answer } from "./answer.ts";
import type { CallMaker } from "./performer.ts";
import { Pinned } from "./pinned.ts";
import type { SupervisorPolicy } from "./policy.ts";
import { ProxyEntrance } from "./proxy_entrance.ts";

/** Where `struct sockaddr_in` and `struct sockaddr_in6` have the port and the address. */
const PORT_OFFSET = 2;
const ADDRESS_OFFSET = 4;
const ADDRESS_END = 8;
const ADDRESS6_OFFSET = 8;
const ADDRESS6_END = 24;
const ADDRESS_BYTES = 128;

const LOOPBACK = [127, 0, 0, 1];
const MAPPED_LOOPBACK = [...Array(10).fill(0), 0xff, 0xff, ...LOOPBACK];

/** Gets a connection to the executor's proxy, which belongs to it from then on, and whose it is. */
export type Connected = (connection: Descriptor, thread: number) => void;

/** How many sockets are held that are not connected; the oldest is given up for one more. */
const MAX_HELD = 256;

/**
 * Makes sockets for a command, and connections with copies that it keeps of them. Those of a socket
 * that a command has made itself would be had by pidfd_getfd(2) alone, which containers refuse.
 */
export class Connections implements Disposable {
  /** Sockets that are not connected yet, by the number of their inode, the oldest first. */
  readonly #held = new Map<bigint, Descriptor>();
  readonly #ports: ReadonlySet<number>;
  /** Undefined where the proxy is not to be reached. */
  readonly #entrance: ProxyEntrance | undefined;
  readonly #performer: CallMaker;
  readonly #architecture: Architecture;
  readonly #address = new Pinned(ADDRESS_BYTES);

  constructor(
    { ports, egress = false }: Pick<SupervisorPolicy, "ports" | "egress">,
    connected: Connected,
    performer: CallMaker,
    architecture: Architecture,
  ) {
    this.#ports = new Set(ports);
    this.#entrance = egress ? new ProxyEntrance(connected) : undefined;
    this.#performer = performer;
    this.#architecture = architecture;
  }

  /** socket(2). @throws {CallError} */
  open(family: number, type: number, protocol: number): Answer {
    const descriptor = succeeded(this.#perform("socket", [family, type | SOCK_CLOEXEC, protocol]));
    this.#hold(descriptor);
    const closeOnExec = (type & SOCK_CLOEXEC) !== 0;
    return { kind: "descriptor", descriptor, closeOnExec, closedFirst: false };
  }

  /**
   * connect(2). Others than the named ports and the proxy's are refused.
   *
   * @param number the caller's descriptor of the socket
   * @throws {CallError}
   */
  connect(caller: Caller, number: number, address: Uint8Array): Answer {
    const port = loopbackPort(address);
    const toProxy = port === EGRESS_PORT ? this.#entrance : undefined;
    if (port === undefined || toProxy === undefined && !this.#ports.has(port)) {
      throw new CallError(Errno.EPERM);
    }
    const inode = socketOf(caller, number);
    const socket = this.#held.get(inode);
    if (socket === undefined) throw new CallError(Errno.EISCONN);
    const answer = toProxy?.enter(socket, familyOf(address), caller.thread) ??
      this.#connectTo(socket, address);
    if (answer.kind === "result" && isUnderWay(answer.result)) this.#release(inode, socket);
    return answer;
  }

  [Symbol.dispose](): void {
    for (const [inode, socket] of this.#held) this.#release(inode, socket);
  }

  #hold(descriptor: Descriptor): void {
    const [oldest] = this.#held;
    if (oldest !== undefined && this.#held.size >= MAX_HELD) this.#release(...oldest);
    const status = statusOf(descriptor);
    const copy = duplicate(descriptor);
    if (typeof status !== "number" && copy >= 0) this.#held.set(status.inode, copy);
  }

  /** The other end is told that a connection is closed when nobody has its socket any more. */
  #release(inode: bigint, socket: Descriptor): void {
    this.#held.delete(inode);
    closeDescriptor(socket);
  }

  /** Others wait behind this one: it must not wait itself. */
  #connectTo(socket: Descriptor, address: Uint8Array): Answer {
    const flags = succeeded(statusFlags(socket));
    setStatusFlags(socket, flags | Open.NonBlocking);
    try {
      const begun = this.#call(socket, address);
      // On this machine the other end has mostly answered by now.
      const result = begun === -Errno.EINPROGRESS ? this.#call(socket, address) : begun;
      if (result !== -Errno.EALREADY) return { kind: "result", result };
      if ((flags & Open.NonBlocking) === 0) return { kind: "later" };
      return { kind: "result", result: begun };
    } finally {
      setStatusFlags(socket, flags);
    }
  }

  #call(socket: Descriptor, address: Uint8Array): number {
    return this.#perform("connect", [socket, this.#address.bytes(address), address.length]);
  }

  #perform(call: CallName, args: readonly (number | bigint)[]): number {
    const number = callNumber(call, this.#architecture);
    if (number === null) throw new CallError(Errno.ENOSYS);
    return this.#performer.call(number, args);
  }
}

/** The port of 127.0.0.1 that an address names; undefined if it names something else. */
function loopbackPort(address: Uint8Array): number | undefined {
  if (address.length < ADDRESS_END) return undefined;
  const isLoopback = familyOf(address) === AF_INET6
    ? equal(address.subarray(ADDRESS6_OFFSET, ADDRESS6_END), MAPPED_LOOPBACK)
    : familyOf(address) === AF_INET &&
      equal(address.subarray(ADDRESS_OFFSET, ADDRESS_END), LOOPBACK);
  return isLoopback ? viewOf(address).getUint16(PORT_OFFSET) : undefined;
}

function familyOf(address: Uint8Array): number {
  return viewOf(address).getUint16(0, true);
}

function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}

/** The inode of a caller's socket. @throws {CallError} ENOTSOCK, EBADF */
function socketOf(caller: Caller, number: number): bigint {
  const held = caller.open(number);
  try {
    const status = statusOf(held);
    if (typeof status === "number") throw new CallError(-status);
    if ((status.mode & FileType.Mask) !== FileType.Socket) throw new CallError(Errno.ENOTSOCK);
    return status.inode;
  } finally {
    closeDescriptor(held);
  }
}

/** The socket is connected, or is going to be without any more calls. */
function isUnderWay(result: number): boolean {
  return result === 0 || result === -Errno.EISCONN || result === -Errno.EINPROGRESS;
}

function equal(bytes: Uint8Array, expected: readonly number[]): boolean {
  return bytes.length === expected.length && bytes.every((byte, at) => byte === expected[at]);
}
