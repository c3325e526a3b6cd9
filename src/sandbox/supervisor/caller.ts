import { AT_FDCWD } from "../../os/constants.ts";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { readMemory } from "../../os/notifications.ts";
import { Open } from "../../os/open_at.ts";
import { readFrom, tryOpenAt } from "../../os/path_calls.ts";
import { readProc, readProcLink } from "../../os/procfs.ts";
import { type ByteString, fromByteString, toByteString } from "./byte_strings.ts";
import { CallError, Errno, succeeded } from "./call_error.ts";

/** The longest path with its NUL (PATH_MAX in limits.h). */
const PATH_BYTES = 4096;
/** How many files are held that tell of threads; the oldest is given up for one more. */
const MAX_HELD = 16;
/** Enough for a status with the groups of a user who is in many. */
const STATUS_BYTES = 16_384;

const path = new Uint8Array(new ArrayBuffer(PATH_BYTES));
const status = new Uint8Array(new ArrayBuffer(STATUS_BYTES));
const text = new TextDecoder();

/** What a thread and its process are called. */
export interface ProcessNumbers {
  readonly process: number;
  readonly thread: number;
}

/** What the kernel says of a thread (proc_pid_status(5)). */
class ThreadStatus {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  get process(): number {
    return Number(this.#last("Tgid"));
  }

  get mask(): number {
    return parseInt(this.#last("Umask"), 8);
  }

  /** The numbers in the innermost PID namespace. */
  get inside(): ProcessNumbers {
    return { process: Number(this.#last("NStgid")), thread: Number(this.#last("NSpid")) };
  }

  /** How many filters of system calls it has. Since Linux 5.9. */
  get filters(): number {
    return Number(this.#last("Seccomp_filters"));
  }

  /** The last value on the line of a field. The line of the name has no line ends within it. */
  #last(field: string): string {
    const begin = this.#text.indexOf(`\n${field}:`);
    if (begin === -1) throw new CallError(Errno.EPERM);
    const end = this.#text.indexOf("\n", begin + 1);
    return this.#text.slice(this.#text.lastIndexOf("\t", end) + 1, end);
  }
}

/** What commands have of their own, where they do not share it with this program. */
export interface OwnNamespaces {
  readonly mounts: boolean;
  /** Whether their /proc numbers processes as they see them. */
  readonly processes: boolean;
}

/** The thread that made a call, and waits for its answer. */
export class Caller {
  readonly thread: number;
  readonly #own: OwnNamespaces;
  readonly #statuses: ThreadStatuses;
  readonly #isWaiting: () => boolean;
  #status: ThreadStatus | undefined;

  /** @param isWaiting whether the thread has not got its answer yet, nor ended */
  constructor(
    thread: number,
    own: OwnNamespaces,
    statuses: ThreadStatuses,
    isWaiting: () => boolean,
  ) {
    this.thread = thread;
    this.#own = own;
    this.#statuses = statuses;
    this.#isWaiting = isWaiting;
  }

  /** Whether it sees other files than this program. */
  get hasOwnMounts(): boolean {
    return this.#own.mounts;
  }

  /** What its mount namespace is called. @throws {CallError} */
  get mounts(): string {
    this.#readStatus();
    return this.#statuses.mountsOf(this.thread);
  }

  /** How many filters of system calls it has. @throws {CallError} */
  get filters(): number {
    return this.#readStatus().filters;
  }

  /** What it is called in the /proc that it sees. @throws {CallError} */
  get numbersInProc(): ProcessNumbers {
    const { process, inside } = this.#readStatus();
    return this.#own.processes ? inside : { process, thread: this.thread };
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

  /** Holds what it calls `/`. @throws {CallError} */
  openRoot(): Descriptor {
    const path = this.#own.mounts ? `/proc/${this.thread}/root` : "/";
    const held = tryOpenAt(-1, fromByteString(path), Open.PathOnly | Open.Directory);
    return this.#own.mounts ? this.#checked(succeeded(held)) : succeeded(held);
  }

  /** Holds what one of its descriptors is about, or its working directory. @throws {CallError} */
  open(descriptor: number): Descriptor {
    const link = descriptor === AT_FDCWD ? "cwd" : `fd/${descriptor}`;
    const name = fromByteString(`/proc/${this.thread}/${link}`);
    const held = tryOpenAt(-1, name, Open.PathOnly);
    if (held === -Errno.ENOENT) throw new CallError(Errno.EBADF);
    return this.#checked(succeeded(held));
  }

  /** What was held is the caller's, and not of another with the same number since the caller's end. */
  #checked(held: Descriptor): Descriptor {
    if (this.#isWaiting()) return held;
    closeDescriptor(held);
    throw new CallError(Errno.EINTR);
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
    return this.#status ??= this.#statuses.read(this.thread);
  }
}

/** A thread that is known, whoever has its number afterwards. */
interface KnownThread {
  readonly status: Descriptor;
  /** What its mount namespace is called, when that has been asked for. */
  mounts: string | undefined;
}

/** What the kernel says of threads that make one call after the other. */
export class ThreadStatuses implements Disposable {
  /** The oldest first. */
  readonly #known = new Map<number, KnownThread>();

  /** @throws {CallError} if the thread is gone */
  read(thread: number): ThreadStatus {
    const known = this.#known.get(thread);
    if (known !== undefined) {
      const count = readFrom(known.status, status);
      if (count > 0) return statusIn(count);
      this.#forget(thread, known);
    }
    const { status: file } = this.#open(thread);
    return statusIn(succeeded(readFrom(file, status)));
  }

  /**
   * What a thread's mount namespace is called (namespaces(7)). To be asked for when its status has
   * been read, and only of one that stays in the namespace.
   *
   * @throws {CallError} EPERM if the thread is gone, or this user may not know: its program may be
   * executed but not read
   */
  mountsOf(thread: number): string {
    const known = this.#known.get(thread) ?? this.#open(thread);
    known.mounts ??= readProcLink(`${thread}/ns/mnt`);
    if (known.mounts === undefined) throw new CallError(Errno.EPERM);
    return known.mounts;
  }

  [Symbol.dispose](): void {
    for (const [thread, known] of this.#known) this.#forget(thread, known);
  }

  #open(thread: number): KnownThread {
    const opened = { status: openStatus(thread), mounts: undefined };
    const [oldest] = this.#known;
    if (oldest !== undefined && this.#known.size >= MAX_HELD) this.#forget(...oldest);
    this.#known.set(thread, opened);
    return opened;
  }

  #forget(thread: number, { status }: KnownThread): void {
    this.#known.delete(thread);
    closeDescriptor(status);
  }
}

function openStatus(thread: number | "thread-self"): Descriptor {
  return succeeded(tryOpenAt(-1, fromByteString(`/proc/${thread}/status`), 0));
}

function statusIn(count: number): ThreadStatus {
  return new ThreadStatus(text.decode(status.subarray(0, count)));
}

/** What the kernel says of this thread. @throws {CallError} */
export function ownStatus(): ThreadStatus {
  const file = openStatus("thread-self");
  try {
    return statusIn(succeeded(readFrom(file, status)));
  } finally {
    closeDescriptor(file);
  }
}
