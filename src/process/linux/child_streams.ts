import {
  closeDescriptor,
  type Descriptor,
  readDescriptor,
  writeDescriptor,
} from "../../os/descriptor.ts";
import { setNonBlocking } from "../../os/pipes.ts";
import { type Poller, Ready } from "../../os/epoll.ts";
import { readProcLink } from "../../os/procfs.ts";
import type { WriteOutcome } from "../child.ts";

interface PendingWrite {
  rest: Uint8Array<ArrayBuffer>;
  readonly settle: (outcome: WriteOutcome) => void;
}

/** Our end of a child's input pipe or terminal: writes in order, as fast as the child reads. */
export class ChildInput {
  readonly #poller: Poller;
  readonly #descriptor: Descriptor;
  readonly #pending: PendingWrite[] = [];
  #ending = false;
  #closed = false;

  constructor(poller: Poller, descriptor: Descriptor) {
    this.#poller = poller;
    this.#descriptor = descriptor;
    setNonBlocking(descriptor);
  }

  /** Settles when the pipe has taken all bytes, or when nobody reads it any more. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome> {
    if (this.#closed || this.#ending) return Promise.resolve("closed");
    return new Promise((settle) => {
      this.#pending.push({ rest: bytes, settle });
      if (this.#pending.length === 1 && this.#flush() === "full") this.#waitForRoom();
    });
  }

  /** Ends the child's input behind the writes that wait; later ones are answered `closed`. */
  closeWhenWritten(): void {
    this.#ending = true;
    if (this.#pending.length === 0) this.close();
  }

  /** Ends the child's input; writes that wait are answered `closed`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#poller.unwatch(this.#descriptor);
    closeDescriptor(this.#descriptor);
    for (const { settle } of this.#pending.splice(0)) settle("closed");
  }

  /** Writes until everything is written or the pipe takes no more for now. */
  #flush(): "done" | "full" {
    for (let write = this.#pending[0]; write !== undefined; write = this.#pending[0]) {
      while (write.rest.length > 0) {
        const count = writeDescriptor(this.#descriptor, write.rest);
        if (count <= 0) return "full";
        write.rest = write.rest.subarray(count);
      }
      this.#pending.shift();
      write.settle("written");
    }
    if (this.#ending) this.close();
    return "done";
  }

  /** An error condition on the writing end means that the last reader is gone (poll(2)). */
  #waitForRoom(): void {
    this.#poller.watch(this.#descriptor, Ready.Output, (ready) => {
      if ((ready & (Ready.Error | Ready.HangUp)) !== 0) return this.close();
      if (this.#flush() === "done") this.#poller.unwatch(this.#descriptor);
    });
  }
}

/** Bytes in one event at the most: large enough for throughput, small beside the retention. */
const READ_BYTES = 128 * 1024;
/** What a pipe can hold at the most, unless root has made it larger (pipe(7)). */
const PIPE_MAX_BYTES = 1024 * 1024;

/** Shared by all streams: callbacks copy what they keep before they return. */
const buffer = new Uint8Array(READ_BYTES);

/** What a stream tells of itself. */
export interface ChildOutputObserver {
  /** Bytes in a buffer that is used again after the call. */
  bytes(bytes: Uint8Array<ArrayBuffer>): void;
  /** Every writer has closed. Told once, and never after {@linkcode ChildOutput.close}. */
  ended(): void;
}

/** Our end of a child's output pipe or terminal. */
export class ChildOutput {
  readonly #poller: Poller;
  readonly #descriptor: Descriptor;
  readonly #observer: ChildOutputObserver;
  readonly #name: string | undefined;
  #state: "reading" | "paused" | "ended" = "paused";

  /** @param name what the other end is called. @default the same as this one, as of a pipe */
  constructor(
    poller: Poller,
    descriptor: Descriptor,
    observer: ChildOutputObserver,
    name?: string,
  ) {
    this.#name = name;
    this.#poller = poller;
    this.#descriptor = descriptor;
    this.#observer = observer;
    setNonBlocking(descriptor);
    this.resume();
  }

  get ended(): boolean {
    return this.#state === "ended";
  }

  /** What the kernel calls the other end; undefined once it is closed. */
  get name(): string | undefined {
    return this.ended ? undefined : this.#name ?? readProcLink(`self/fd/${this.#descriptor}`);
  }

  /** Leaves further output in the pipe. Hang-ups go unnoticed meanwhile. */
  pause(): void {
    if (this.#state !== "reading") return;
    this.#poller.unwatch(this.#descriptor);
    this.#state = "paused";
  }

  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "reading";
    this.#poller.watch(this.#descriptor, Ready.Input, (ready) => this.#ready(ready));
  }

  /**
   * Reads all that has been written by now, unless a callback pauses or closes, and notices at once
   * if nobody is left to write. The limit is for writers that never pause.
   *
   * The kernel brings what a terminal has taken in up to date before it says that there is nothing
   * to read (n_tty), but tells of no more than one buffer beforehand; so reading shows, not FIONREAD.
   */
  drain(): void {
    for (let read = 0; read < PIPE_MAX_BYTES && this.#state === "reading";) {
      const count = this.#read();
      if (count === 0) return this.#end();
      if (count < 0) return;
      read += count;
    }
  }

  /** Stops reading for good. */
  close(): void {
    if (this.#state === "ended") return;
    this.pause();
    this.#state = "ended";
    closeDescriptor(this.#descriptor);
  }

  /**
   * A hang-up without input is the end; so is a read of nothing. The answer of a failed read says
   * nothing that the next round does not say better.
   */
  #ready(ready: number): void {
    const hungUp = (ready & Ready.Input) === 0;
    if (hungUp || this.#read() === 0) this.#end();
  }

  #end(): void {
    this.close();
    this.#observer.ended();
  }

  #read(): number {
    const count = readDescriptor(this.#descriptor, buffer);
    if (count > 0) this.#observer.bytes(buffer.subarray(0, count));
    return count;
  }
}
