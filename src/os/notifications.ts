import { O_CLOEXEC } from "./constants.ts";
import type { Descriptor } from "./descriptor.ts";
import { lastErrno } from "./errno.ts";
import { libraryTable } from "./libc.ts";

/** The functions that receive and answer the calls that a filter hands over (seccomp_unotify(2)). */
const calls = libraryTable({
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
  process_vm_readv: {
    parameters: ["i32", "buffer", "u64", "buffer", "u64", "u64"],
    result: "isize",
  },
});

/** The same function, for a request whose argument is a number and not the address of one. */
const numberCalls = libraryTable({
  ioctl: { parameters: ["i32", "u64", "u64"], result: "i32" },
});

const SECCOMP_IOCTL_NOTIF_RECV = 0xc050_2100n;
const SECCOMP_IOCTL_NOTIF_SEND = 0xc018_2101n;
const SECCOMP_IOCTL_NOTIF_ID_VALID = 0x4008_2102n;
const SECCOMP_IOCTL_NOTIF_ADDFD = 0x4018_2103n;
/** Since Linux 6.6. */
const SECCOMP_IOCTL_NOTIF_SET_FLAGS = 0x4008_2104n;
const SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP = 1n;
/** The kernel makes the call, as if there were no filter. Since Linux 5.5. */
const SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1;
/** Adding the descriptor and answering with its number are one step. Since Linux 5.14. */
const SECCOMP_ADDFD_FLAG_SEND = 2;

/** `struct seccomp_notif`: id, pid, flags, and `struct seccomp_data`. */
const NOTIFICATION_BYTES = 80;
const ANSWER_BYTES = 24;

const POLLIN = 1;
const POLLHUP = 16;
const PAGE_BYTES = 4096n;

/** A call that a filter has handed over; whoever made it waits. */
export interface Notification {
  readonly id: bigint;
  /** The thread that made the call. */
  readonly thread: number;
  readonly number: number;
  readonly arguments: readonly bigint[];
}

/** What a wait for notifications ended with. */
export type Wait = "notification" | "bell" | "over" | "timeout";

/**
 * Has whoever makes a call and whoever answers it wake each other on one processor: one of them waits
 * anyway, and waking another processor takes longer than most calls. Returns whether the kernel does so:
 * since Linux 6.6.
 */
export function shareProcessor(listener: Descriptor): boolean {
  const flags = SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP;
  return numberCalls().ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags) === 0;
}

/** Receives and answers the calls that a filter hands over; for one thread. */
export class NotificationListener {
  readonly #listener: Descriptor;
  readonly #received = new Uint8Array(new ArrayBuffer(NOTIFICATION_BYTES));
  readonly #view = new DataView(this.#received.buffer);
  readonly #answer = new Uint8Array(new ArrayBuffer(ANSWER_BYTES));
  readonly #answerView = new DataView(this.#answer.buffer);
  readonly #polled = new Int32Array(new ArrayBuffer(16));
  readonly #polledBytes = new Uint8Array(this.#polled.buffer);

  /**
   * @param listener what {@linkcode enforceFilterWithListener} returned, or a copy of it
   * @param bell ends a wait when it is rung (see `openBell`)
   */
  constructor(listener: Descriptor, bell: Descriptor) {
    this.#listener = listener;
    this.#polled[0] = listener;
    this.#polled[2] = bell;
    shareProcessor(listener);
  }

  /** Waits, holding this thread up. `over`: no process has the filter any more. */
  wait(timeoutMs: number): Wait {
    this.#polled[1] = POLLIN;
    this.#polled[3] = POLLIN;
    if (calls().poll(this.#polledBytes, 2n, timeoutMs) <= 0) return "timeout";
    if ((this.#polled[3] ?? 0) >>> 16 !== 0) return "bell";
    const ready = (this.#polled[1] ?? 0) >>> 16;
    if (ready & POLLIN) return "notification";
    return ready & POLLHUP ? "over" : "timeout";
  }

  /** The next call; undefined if whoever made it is gone. */
  receive(): Notification | undefined {
    this.#received.fill(0);
    if (calls().ioctl(this.#listener, SECCOMP_IOCTL_NOTIF_RECV, this.#received) !== 0) {
      return undefined;
    }
    const view = this.#view;
    return {
      id: view.getBigUint64(0, true),
      thread: view.getUint32(8, true),
      number: view.getInt32(16, true),
      arguments: [32, 40, 48, 56, 64, 72].map((offset) => view.getBigUint64(offset, true)),
    };
  }

  /** Whether whoever made a call still waits: only then what was found out about it is about it. */
  isWaiting(id: bigint): boolean {
    const bytes = new Uint8Array(BigUint64Array.of(id).buffer);
    return calls().ioctl(this.#listener, SECCOMP_IOCTL_NOTIF_ID_VALID, bytes) === 0;
  }

  /** Has the call return a number, an error if it is negative. */
  answer(id: bigint, result: number): void {
    this.#answer.fill(0);
    this.#answerView.setBigUint64(0, id, true);
    if (result < 0) this.#answerView.setInt32(16, result, true);
    else this.#answerView.setBigInt64(8, BigInt(result), true);
    calls().ioctl(this.#listener, SECCOMP_IOCTL_NOTIF_SEND, this.#answer);
  }

  /**
   * Has the kernel make the call. Only for one that depends on nothing but its registers, and on
   * what cannot become something else while the thread that made it waits; and for programs that are
   * trusted with whatever they call.
   */
  letGoOn(id: bigint): void {
    this.#answer.fill(0);
    this.#answerView.setBigUint64(0, id, true);
    this.#answerView.setUint32(20, SECCOMP_USER_NOTIF_FLAG_CONTINUE, true);
    calls().ioctl(this.#listener, SECCOMP_IOCTL_NOTIF_SEND, this.#answer);
  }

  /**
   * Has the call return a copy of a descriptor. Returns its number there, or the negative number of
   * why it could not be given: then the call still waits.
   */
  answerDescriptor(id: bigint, descriptor: Descriptor, closeOnExec: boolean): number {
    return this.#addDescriptor(id, descriptor, closeOnExec, SECCOMP_ADDFD_FLAG_SEND);
  }

  /** The same, but the call waits for its answer in any case. */
  addDescriptor(id: bigint, descriptor: Descriptor, closeOnExec: boolean): number {
    return this.#addDescriptor(id, descriptor, closeOnExec, 0);
  }

  #addDescriptor(
    id: bigint,
    descriptor: Descriptor,
    closeOnExec: boolean,
    flags: number,
  ): number {
    this.#answer.fill(0);
    this.#answerView.setBigUint64(0, id, true);
    this.#answerView.setUint32(8, flags, true);
    this.#answerView.setUint32(12, descriptor, true);
    this.#answerView.setUint32(20, closeOnExec ? O_CLOEXEC : 0, true);
    const result = calls().ioctl(this.#listener, SECCOMP_IOCTL_NOTIF_ADDFD, this.#answer);
    return result < 0 ? -lastErrno() : result;
  }
}

const local = new BigUint64Array(new ArrayBuffer(16));
const localBytes = new Uint8Array(local.buffer);
const remote = new BigUint64Array(new ArrayBuffer(32));
const remoteBytes = new Uint8Array(remote.buffer);

/**
 * Copies another process's memory (process_vm_readv(2)). Returns how many bytes could be read: fewer
 * where its memory ends; -1 if none.
 *
 * @param into as long as two pages at most
 */
export function readMemory(thread: number, address: bigint, into: Uint8Array<ArrayBuffer>): number {
  const size = BigInt(into.length);
  const toPageEnd = PAGE_BYTES - (address & (PAGE_BYTES - 1n));
  const first = size < toPageEnd ? size : toPageEnd;
  local[0] = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(into)));
  local[1] = size;
  remote[0] = address;
  remote[1] = first;
  // A part that begins on a page of its own fails on its own.
  remote[2] = address + first;
  remote[3] = size - first;
  const parts = size > first ? 2n : 1n;
  return Number(calls().process_vm_readv(thread, localBytes, 1n, remoteBytes, parts, 0n));
}
