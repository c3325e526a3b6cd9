import { peerKey, receivedBytes } from "../os/own_sockets.ts";

/** How often is looked whether the program has grown, in milliseconds. */
const LOOK_MS = 50;

/** What ending a connection has to bring, in bytes. */
const WORTH_IT = 1024 * 1024;

/** A connection that messages come in on. */
export interface Receiver {
  readonly peer: Deno.NetAddr;
  /** How many messages have come whole. */
  readonly messages: number;
  /** The size of the largest of them: the runtime keeps its buffer until the connection ends. */
  readonly largestMessage: number;
  /** Ends the connection. */
  tooMuch(): void;
}

interface Seen {
  readonly messages: number;
  readonly received: number;
}

/**
 * Keeps what clients have sent of messages that are not complete yet within a limit. The runtime
 * gathers a message of up to 64 MiB for each connection, and neither tells of it nor can be stopped:
 * forty clients that send the beginning of one would take gigabytes.
 *
 * So the kernel is asked how much came in on each connection whenever the program has grown. What
 * came since a look that found a message more than the one before counts as unfinished, so that up
 * to an eighth of the limit may be overlooked, and what comes in between two looks. When all together
 * is too much, the connections that have the most are ended. So is, before the system kills the
 * program and with it everybody's commands, one that keeps much though nothing comes in. Linux and TCP only: a client of a unix
 * socket cannot be told from another.
 */
export class UnfinishedMessages implements Disposable {
  readonly #limit: number;
  readonly #emergency: number;
  readonly #residentBytes: () => number;
  readonly #receivedBytes: () => Map<string, number>;
  readonly #receivers = new Map<Receiver, Seen>();
  #reference = Infinity;
  #timer: number | undefined;

  /**
   * @param limit in bytes
   * @param emergency how large the program may become before the connection that keeps the most is
   * ended whatever it does, in bytes
   * @param residentBytes what the program takes
   * @param received what came in on each connection, by {@linkcode peerKey}
   */
  constructor(
    limit: number,
    emergency: number,
    residentBytes: () => number = () => Deno.memoryUsage().rss,
    received: () => Map<string, number> = receivedBytes,
  ) {
    this.#limit = limit;
    this.#emergency = emergency;
    this.#residentBytes = residentBytes;
    this.#receivedBytes = received;
  }

  /** Looks after a connection from now on. */
  add(receiver: Receiver): void {
    this.#receivers.set(receiver, { messages: 0, received: 0 });
    this.#timer ??= setInterval(() => this.look(), LOOK_MS);
  }

  /** The connection has ended. */
  remove(receiver: Receiver): void {
    this.#receivers.delete(receiver);
    if (this.#receivers.size === 0) this[Symbol.dispose]();
  }

  /** Looks whether the program has grown, and if so why. */
  look(): void {
    const resident = this.#residentBytes();
    this.#reference = Math.min(this.#reference, resident);
    if (resident - this.#reference < this.#limit / 8) return;
    this.#reference = resident;
    this.#endLargest(resident > this.#emergency);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** @param emergency whether at least one is to be ended */
  #endLargest(emergency: boolean): void {
    const all = this.#receivedBytes();
    const found = Array.from(this.#receivers.keys(), (receiver) => {
      const unfinished = this.#unfinished(receiver, all.get(peerKey(receiver.peer)) ?? 0);
      return { receiver, unfinished, kept: Math.max(unfinished, receiver.largestMessage) };
    });
    let sum = found.reduce((total, { unfinished }) => total + unfinished, 0);
    for (const { receiver, unfinished } of found.toSorted((a, b) => b.unfinished - a.unfinished)) {
      if (sum <= this.#limit) break;
      sum -= unfinished;
      this.#end(receiver);
      emergency = false;
    }
    const [most] = found.toSorted((a, b) => b.kept - a.kept);
    if (emergency && most !== undefined && most.kept > WORTH_IT) this.#end(most.receiver);
  }

  #end(receiver: Receiver): void {
    this.remove(receiver);
    receiver.tooMuch();
  }

  #unfinished(receiver: Receiver, received: number): number {
    const { messages } = receiver;
    const seen = this.#receivers.get(receiver);
    if (seen !== undefined && seen.messages === messages) return received - seen.received;
    this.#receivers.set(receiver, { messages, received });
    return 0;
  }
}
