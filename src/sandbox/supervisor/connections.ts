import { AF_INET, AF_INET6 } from "../../os/constants.ts";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { OpenFlag, setStatusFlags, statusFlags } from "../../os/path_calls.ts";
import { copyDescriptor, openProcessDescriptor } from "../../os/pidfd.ts";
import type { Architecture } from "../seccomp/profile.ts";
import { CallError, Errno, succeeded } from "./call_error.ts";
import type { Caller } from "./caller.ts";
import { callNumber } from "./calls.ts";
import type { Answer } from "./operations.ts";
import type { CallMaker } from "./performer.ts";
import { Pinned } from "./pinned.ts";

/** linux/socket.h. */
/** Where `struct sockaddr_in` and `struct sockaddr_in6` have the port and the address. */
const PORT_OFFSET = 2;
const ADDRESS_OFFSET = 4;
const ADDRESS_END = 8;
const ADDRESS6_OFFSET = 8;
const ADDRESS6_END = 24;
const ADDRESS_BYTES = 128;

const LOOPBACK = [127, 0, 0, 1];
const MAPPED_LOOPBACK = [...Array(10).fill(0), 0xff, 0xff, ...LOOPBACK];

/** Makes connections on behalf of a command, on a copy of its socket. */
export class Connections {
  readonly #ports: ReadonlySet<number>;
  readonly #performer: CallMaker;
  readonly #number: number | null;
  readonly #address = new Pinned(ADDRESS_BYTES);

  /** @param ports those of this machine's loopback that may be connected to */
  constructor(ports: readonly number[], performer: CallMaker, architecture: Architecture) {
    this.#ports = new Set(ports);
    this.#performer = performer;
    this.#number = callNumber("connect", architecture);
  }

  /**
   * connect(2). Others than the named ports are refused.
   *
   * @param number the caller's descriptor of the socket
   * @throws {CallError}
   */
  connect(caller: Caller, number: number, address: Uint8Array): Answer {
    if (!this.#isAllowed(address)) throw new CallError(Errno.EPERM);
    const process = openProcessDescriptor(caller.process);
    if (process === undefined) throw new CallError(Errno.EPERM);
    try {
      const socket = copyDescriptor(process, number);
      if (socket === undefined) throw new CallError(Errno.EBADF);
      try {
        return this.#connectTo(socket, address);
      } finally {
        closeDescriptor(socket);
      }
    } finally {
      closeDescriptor(process);
    }
  }

  /** Others wait behind this one: it must not wait itself. */
  #connectTo(socket: Descriptor, address: Uint8Array): Answer {
    const flags = succeeded(statusFlags(socket));
    const waits = (flags & OpenFlag.NonBlocking) === 0;
    if (!waits) return { kind: "result", result: this.#call(socket, address) };
    setStatusFlags(socket, flags | OpenFlag.NonBlocking);
    try {
      const begun = this.#call(socket, address);
      // On this machine the other end has mostly answered by now.
      const result = begun === -Errno.EINPROGRESS ? this.#call(socket, address) : begun;
      if (result === -Errno.EALREADY) return { kind: "later" };
      return { kind: "result", result };
    } finally {
      setStatusFlags(socket, flags);
    }
  }

  #call(socket: Descriptor, address: Uint8Array): number {
    if (this.#number === null) throw new CallError(Errno.ENOSYS);
    const args = [socket, this.#address.bytes(address), address.length];
    return this.#performer.call(this.#number, args);
  }

  #isAllowed(address: Uint8Array): boolean {
    if (address.length < ADDRESS_END) return false;
    const view = new DataView(address.buffer, address.byteOffset, address.length);
    if (!this.#ports.has(view.getUint16(PORT_OFFSET))) return false;
    switch (view.getUint16(0, true)) {
      case AF_INET:
        return equal(address.subarray(ADDRESS_OFFSET, ADDRESS_END), LOOPBACK);
      case AF_INET6: {
        const host = address.subarray(ADDRESS6_OFFSET, ADDRESS6_END);
        return equal(host, MAPPED_LOOPBACK);
      }
      default:
        return false;
    }
  }
}

function equal(bytes: Uint8Array, expected: readonly number[]): boolean {
  return bytes.length === expected.length && bytes.every((byte, at) => byte === expected[at]);
}
