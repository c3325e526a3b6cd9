import {
  closeDescriptor,
  type Descriptor,
  readDescriptor,
  writeDescriptor,
} from "../../os/descriptor.ts";
import { openMemoryFile, openPipe, setNonBlocking, unreadBytes } from "../../os/pipes.ts";
import { Ready, sharedPoller } from "../../os/epoll.ts";
import { endSending, openSocketPair, send } from "../../os/sockets.ts";
import type { ExtraDescriptor } from "../../process/child.ts";
import type { WrapperDescriptor } from "./arguments.ts";
import * as z from "zod/mini";

/** bubblewrap reports a few short lines in all. */
const STATUS_BYTES = 4096;

/** What this program and a wrapper tell each other through, besides the standard streams. */
export class WrapperChannels implements Disposable {
  /** What the wrapper gets, until {@linkcode handedOver}. */
  readonly forWrapper: readonly ExtraDescriptor[];
  readonly #theirs: Descriptor[] = [];
  /** One for all that want nothing. */
  #nothing: Descriptor | undefined;
  #gate: Descriptor | undefined;
  #status: Descriptor | undefined;
  #mounting: Descriptor | undefined;
  #statusText = "";
  #reported: BubblewrapStatus = { firstProcess: undefined, exitCode: undefined };

  /** @throws {Error} when there are no descriptors left */
  constructor(descriptors: readonly WrapperDescriptor[]) {
    try {
      this.forWrapper = descriptors.map(({ number, purpose }) => {
        return { number, source: this.#open(purpose) };
      });
    } catch (error) {
      this.handedOver();
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** The wrapper has its copies, or never will. */
  handedOver(): void {
    for (const descriptor of this.#theirs.splice(0)) closeDescriptor(descriptor);
  }

  /** Waits until the wrapper has set everything up, or cannot any more. Returns whether it has. */
  setUp(): Promise<boolean> {
    const gate = this.#gate;
    if (gate === undefined) return Promise.resolve(true);
    return new Promise((resolve) => {
      // Interest in nothing leaves errors: the last reader is gone (poll(2)).
      sharedPoller().watch(gate, 0, () => {
        sharedPoller().unwatch(gate);
        const taken = unreadBytes(gate) === 0;
        this.#gate = close(gate);
        resolve(taken);
      });
    });
  }

  /** Waits for the number of the sandbox's first process. Undefined if it is never reported. */
  firstProcess(): Promise<number | undefined> {
    const status = this.#status;
    if (status === undefined) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      sharedPoller().watch(status, Ready.Input, () => {
        const ended = !this.#receiveStatus(status);
        const { firstProcess } = this.#reported;
        // The line comes in several parts.
        if (firstProcess === undefined && !ended) return;
        sharedPoller().unwatch(status);
        resolve(firstProcess);
      });
    });
  }

  /** Waits until hardly anything is left to be mounted, if the wrapper tells, or it has ended. */
  mounted(): Promise<void> {
    const mounting = this.#mounting;
    if (mounting === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      // Interest in nothing leaves that the other end is gone (EPOLLHUP, epoll_ctl(2)).
      sharedPoller().watch(mounting, 0, () => {
        sharedPoller().unwatch(mounting);
        this.#mounting = close(mounting);
        resolve();
      });
    });
  }

  /** Lets the wrapper go on to start the command, if its gate was shut. */
  openGate(): void {
    if (this.#gate !== undefined) writeDescriptor(this.#gate, new Uint8Array(1));
  }

  /** What the wrapper has reported. */
  readStatus(): BubblewrapStatus {
    if (this.#status !== undefined) this.#receiveStatus(this.#status);
    return this.#reported;
  }

  /** To be called when the wrapper has ended, and not before: it would die of a failed report. */
  [Symbol.dispose](): void {
    this.#gate = close(this.#gate);
    this.#status = close(this.#status);
    // It may be waited for still, when something else has failed.
    if (this.#mounting !== undefined) sharedPoller().unwatch(this.#mounting);
    this.#mounting = close(this.#mounting);
  }

  /** Returns whether anything has come. */
  #receiveStatus(status: Descriptor): boolean {
    const buffer = new Uint8Array(STATUS_BYTES);
    const count = readDescriptor(status, buffer);
    const text = new TextDecoder().decode(buffer.subarray(0, Math.max(0, count)));
    this.#statusText += text;
    if (text.includes("\n")) this.#reported = parseBubblewrapStatus(this.#statusText);
    return count > 0;
  }

  #open(purpose: WrapperDescriptor["purpose"]): Descriptor {
    switch (purpose.kind) {
      case "data":
        return this.#handOver(openMemoryFile(purpose.bytes));
      case "nothing":
        return this.#nothing ??= this.#handOver(openMemoryFile(new Uint8Array()));
      case "mounted": {
        const [own, theirs] = openSocketPair();
        this.#mounting = own;
        send(own, purpose.bytes);
        endSending(own);
        return this.#handOver(theirs);
      }
      case "status": {
        const { readEnd, writeEnd } = openPipe();
        setNonBlocking(readEnd);
        this.#status = readEnd;
        return this.#handOver(writeEnd);
      }
      case "gate": {
        const { readEnd, writeEnd } = openPipe();
        this.#gate = writeEnd;
        if (!purpose.shut) this.openGate();
        return this.#handOver(readEnd);
      }
    }
  }

  #handOver(descriptor: Descriptor): Descriptor {
    this.#theirs.push(descriptor);
    return descriptor;
  }
}

function close(descriptor: Descriptor | undefined): undefined {
  if (descriptor !== undefined) closeDescriptor(descriptor);
}

/** What bubblewrap has told about itself so far. */
interface BubblewrapStatus {
  /**
   * The first process of the sandbox, as this machine numbers it: the leader of the command's
   * session, parent of the command, and the last of all to end.
   */
  readonly firstProcess: number | undefined;
  /** What the command ended with. Stays undefined if the command never ran. */
  readonly exitCode: number | undefined;
}

const line = z.object({
  "child-pid": z.optional(z.int()),
  "exit-code": z.optional(z.int()),
});

/**
 * Reads what `bwrap --json-status-fd` has written: JSON objects, one a line. A last line that is
 * not whole yet is left out.
 */
export function parseBubblewrapStatus(text: string): BubblewrapStatus {
  let status: BubblewrapStatus = { firstProcess: undefined, exitCode: undefined };
  for (const json of text.split("\n").slice(0, -1)) {
    if (json.trim() === "") continue;
    const told = line.parse(JSON.parse(json));
    status = {
      firstProcess: told["child-pid"] ?? status.firstProcess,
      exitCode: told["exit-code"] ?? status.exitCode,
    };
  }
  return status;
}
