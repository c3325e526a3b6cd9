import { closeDescriptor, type Descriptor, readDescriptor } from "../../os/descriptor.ts";
import { openMemoryFile, openPipe, setNonBlocking } from "../../os/pipes.ts";
import { sharedPoller } from "../../os/epoll.ts";
import { endSending, openSocketPair, receive, send } from "../../os/sockets.ts";
import type { ExtraDescriptor } from "../../process/child.ts";
import type { WrapperDescriptor } from "./arguments.ts";
import * as z from "zod/mini";

/** bubblewrap reports a few short lines in all. */
const STATUS_BYTES = 4096;

/** Interest in nothing leaves that the other end is gone (EPOLLHUP, epoll_ctl(2)). */
const NOTHING = 0;

/** How long a wrapper may take, in milliseconds: somebody may have stopped it. */
const PATIENCE_MS = 60_000;

/** Waits until nobody has the other end of a socket any more, or patience is at its end. */
async function otherEndGone(socket: Descriptor): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, PATIENCE_MS);
  sharedPoller().once(socket, NOTHING).then(resolve);
  await promise;
  clearTimeout(timer);
  sharedPoller().unwatch(socket);
}

/** What keeps a wrapper from starting its command. */
interface Gate {
  readonly own: Descriptor;
  /** What lets it through. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What this program and a wrapper tell each other through, besides the standard streams. */
export class WrapperChannels implements Disposable {
  /** What the wrapper gets, until {@linkcode handedOver}. */
  readonly forWrapper: readonly ExtraDescriptor[];
  readonly #theirs: Descriptor[] = [];
  /** One for all that want nothing. */
  #nothing: Descriptor | undefined;
  #gate: Gate | undefined;
  #status: Descriptor | undefined;
  #ready: Descriptor | undefined;
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

  /** Waits until the wrapper is at its gate, or has ended, or for a minute. */
  async ready(): Promise<void> {
    const ready = this.#ready;
    if (ready === undefined) return;
    await otherEndGone(ready);
    this.#ready = close(this.#ready);
  }

  /** Lets the wrapper go on to start the command. */
  openGate(): void {
    if (this.#gate === undefined) return;
    send(this.#gate.own, this.#gate.bytes);
    endSending(this.#gate.own);
  }

  /** Waits until the wrapper has gone through its gate, or cannot, or for a minute. Returns whether it has. */
  async passed(): Promise<boolean> {
    const gate = this.#gate?.own;
    if (gate === undefined) return true;
    await otherEndGone(gate);
    // It is broken if something was not read.
    const passed = this.#gate !== undefined && receive(gate, new Uint8Array(1)) === 0;
    this.#gate = close(this.#gate?.own);
    return passed;
  }

  /** What the wrapper has reported. */
  readStatus(): BubblewrapStatus {
    if (this.#status === undefined) return this.#reported;
    const buffer = new Uint8Array(STATUS_BYTES);
    const count = readDescriptor(this.#status, buffer);
    const text = new TextDecoder().decode(buffer.subarray(0, Math.max(0, count)));
    this.#statusText += text;
    if (text.includes("\n")) this.#reported = parseBubblewrapStatus(this.#statusText);
    return this.#reported;
  }

  /** To be called when the wrapper has ended, and not before: it would die of a failed report. */
  [Symbol.dispose](): void {
    // They may be waited for still, when something else has failed.
    for (const waited of [this.#gate?.own, this.#ready]) {
      if (waited !== undefined) sharedPoller().unwatch(waited);
    }
    this.#gate = close(this.#gate?.own);
    this.#ready = close(this.#ready);
    this.#status = close(this.#status);
  }

  #open(purpose: WrapperDescriptor["purpose"]): Descriptor {
    switch (purpose.kind) {
      case "data":
        return this.#handOver(openMemoryFile(purpose.bytes));
      case "nothing":
        return this.#nothing ??= this.#handOver(openMemoryFile(new Uint8Array()));
      case "ready": {
        const [own, theirs] = openSocketPair();
        this.#ready = own;
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
        const [own, theirs] = openSocketPair({ blocking: true });
        setNonBlocking(own);
        this.#gate = { own, bytes: purpose.bytes };
        return this.#handOver(theirs);
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
