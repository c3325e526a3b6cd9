import { closeDescriptor, type Descriptor, writeDescriptor } from "../../os/descriptor.ts";
import type { WriteOutcome } from "../child.ts";
import { setNonBlocking } from "../../os/pipes.ts";
import { type Poller, Ready } from "../../os/epoll.ts";

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
