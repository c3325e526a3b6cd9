import { SOL_SOCKET } from "./constants.ts";
import { describeErrno, lastErrno } from "./errno.ts";
import type { Descriptor } from "./descriptor.ts";
import { SocketError } from "./sockets.ts";
import { libraryTable } from "./libc.ts";

const calls = libraryTable({
  sendmsg: { parameters: ["i32", "buffer", "i32"], result: "isize" },
  recvmsg: { parameters: ["i32", "buffer", "i32"], result: "isize" },
});

const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x4000_0000;

/** Where the parts of a message lie in one block: sendmsg(2), cmsg(3), on 64 bits. */
const HEADER = 0;
const VECTOR = 56;
const CONTROL = 72;
const CONTROL_BYTES = 24;
const CONTROL_LENGTH = 20;
const DATA = CONTROL + CONTROL_BYTES;
const BLOCK_BYTES = DATA + 1;

/** Gives another process a copy of a descriptor through a unix socket. @throws {SocketError} */
export function passDescriptor(through: Descriptor, descriptor: Descriptor): void {
  const message = emptyMessage();
  message.setBigUint64(CONTROL, BigInt(CONTROL_LENGTH), true);
  message.setInt32(CONTROL + 8, SOL_SOCKET, true);
  message.setInt32(CONTROL + 12, SCM_RIGHTS, true);
  message.setInt32(CONTROL + 16, descriptor, true);
  if (calls().sendmsg(through, new Uint8Array(message.buffer), 0) === 1n) return;
  throw new SocketError(`a descriptor cannot be passed on: ${describeErrno(lastErrno())}`);
}

/** Takes a descriptor that has been passed. Undefined if none has, or there is no room for it. */
export function takeDescriptor(from: Descriptor): Descriptor | undefined {
  const message = emptyMessage();
  if (calls().recvmsg(from, new Uint8Array(message.buffer), MSG_CMSG_CLOEXEC) !== 1n) {
    return undefined;
  }
  const isDescriptor = message.getBigUint64(CONTROL, true) === BigInt(CONTROL_LENGTH) &&
    message.getInt32(CONTROL + 8, true) === SOL_SOCKET &&
    message.getInt32(CONTROL + 12, true) === SCM_RIGHTS;
  return isDescriptor ? message.getInt32(CONTROL + 16, true) : undefined;
}

/** `struct msghdr` with all that it points to behind it: one byte of data, one descriptor. */
function emptyMessage(): DataView<ArrayBuffer> {
  const block = new Uint8Array(new ArrayBuffer(BLOCK_BYTES));
  const address = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(block)));
  const message = new DataView(block.buffer);
  message.setBigUint64(HEADER + 16, address + BigInt(VECTOR), true);
  message.setBigUint64(HEADER + 24, 1n, true);
  message.setBigUint64(HEADER + 32, address + BigInt(CONTROL), true);
  message.setBigUint64(HEADER + 40, BigInt(CONTROL_BYTES), true);
  message.setBigUint64(VECTOR, address + BigInt(DATA), true);
  message.setBigUint64(VECTOR + 8, 1n, true);
  return message;
}
