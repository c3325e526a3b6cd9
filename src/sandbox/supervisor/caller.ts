import { AT_FDCWD } from "../../os/constants.ts";
import { closeDescriptor } from "../../os/descriptor.ts";
import { readMemory } from "../../os/notifications.ts";
import { openAt, OpenFlag, readFrom } from "../../os/path_calls.ts";
import { readProc } from "../../os/procfs.ts";
import { type ByteString, fromByteString, toByteString } from "./byte_strings.ts";
import { CallError, Errno, succeeded } from "./call_error.ts";

/** The longest path with its NUL (PATH_MAX in limits.h). */
const PATH_BYTES = 4096;
/** Enough for the first lines of a status, which are all that matters. */
const STATUS_BYTES = 256;

const path = new Uint8Array(new ArrayBuffer(PATH_BYTES));
const status = new Uint8Array(new ArrayBuffer(STATUS_BYTES));

/** What the kernel says of a thread. */
interface ThreadStatus {
  readonly process: number;
  readonly mask: number;
}

/** The thread that made a call, and waits for its answer. */
export class Caller {
  readonly thread: number;
  #status: ThreadStatus | undefined;

  constructor(thread: number) {
    this.thread = thread;
  }

  /** The process that the thread belongs to. @throws {CallError} */
  get process(): number {
    return this.#readStatus().process;
  }

  /** Its file mode creation mask. @throws {CallError} */
  get mask(): number {
    return this.#readStatus().mask;
  }

  /** Copies a text that ends with a NUL. @throws {CallError} EFAULT, ENAMETOOLONG */
  text(address: bigint): ByteString {
    const count = readMemory(this.thread, address, path);
    if (count <= 0) throw new CallError(Errno.EFAULT);
    const end = path.subarray(0, count).indexOf(0);
    if (end === -1) throw new CallError(count === PATH_BYTES ? Errno.ENAMETOOLONG : Errno.EFAULT);
    return toByteString(path, end);
  }

  /** Copies so many bytes. @throws {CallError} EFAULT */
  bytes(address: bigint, length: number): Uint8Array<ArrayBuffer> {
    const copy = new Uint8Array(new ArrayBuffer(length));
    if (length === 0) return copy;
    if (readMemory(this.thread, address, copy) !== length) throw new CallError(Errno.EFAULT);
    return copy;
  }

  /** Holds what one of its descriptors is about, or its working directory. @throws {CallError} */
  open(descriptor: number): number {
    const link = descriptor === AT_FDCWD ? "cwd" : `fd/${descriptor}`;
    const name = fromByteString(`/proc/${this.thread}/${link}`);
    const held = openAt(-1, name, OpenFlag.PathOnly);
    if (held === -Errno.ENOENT) throw new CallError(Errno.EBADF);
    return succeeded(held);
  }

  /** The process that one of its descriptors stands for (pidfd_open(2)). @throws {CallError} */
  processOf(descriptor: number): number {
    const text = readProc(`${this.thread}/fdinfo/${descriptor}`);
    const [, process] = /^Pid:\t(-?\d+)$/m.exec(text) ?? [];
    if (process === undefined) throw new CallError(Errno.EBADF);
    if (Number(process) <= 0) throw new CallError(Errno.ESRCH);
    return Number(process);
  }

  #readStatus(): ThreadStatus {
    return this.#status ??= readStatus(this.thread);
  }
}

function readStatus(thread: number): ThreadStatus {
  const file = succeeded(openAt(-1, fromByteString(`/proc/${thread}/status`), 0));
  try {
    const text = toByteString(status, succeeded(readFrom(file, status)));
    const [, mask] = /^Umask:\t([0-7]+)$/m.exec(text) ?? [];
    const [, process] = /^Tgid:\t(\d+)$/m.exec(text) ?? [];
    if (mask === undefined || process === undefined) throw new CallError(Errno.EPERM);
    return { mask: parseInt(mask, 8), process: Number(process) };
  } finally {
    closeDescriptor(file);
  }
}
