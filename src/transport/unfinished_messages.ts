import { peerKey, receivedBytes } from "../os/own_sockets.ts";

/** Interval of looking whether the program has grown, in milliseconds. */
const LOOK_MS = 50;

/** Bytes that closing a connection must free at least. */
const WORTH_IT = 1024 * 1024;

/** A connection that receives messages. */
export interface Receiver {
  readonly peer: Deno.NetAddr;
  /** How many complete messages have arrived. */
  readonly messages: number;
  /** Size of the largest message: the runtime keeps its buffer until the connection ends. */
  readonly largestMessage: number;
  /** Closes the connection because it takes too much memory. */
  tooMuch(): void;
}

interface Seen {
  readonly messages: number;
  readonly received: number;
}

/**
 * Limits the memory of incomplete messages. The runtime buffers a message of up to 64 MiB for each
 * connection, neither reports nor limits that, and forty clients that send the beginning of one would
 * take gigabytes.
 *
 * So whenever the program has grown, it asks the kernel how many bytes each connection has received. The
 * bytes since the last look that found a new complete message count as incomplete; up to an eighth of the
 * limit, and what arrives between two looks, may be overlooked. When the sum exceeds the limit, the
 * connections with the most are closed. When the program itself becomes so large that the system would
 * kill it, and all commands with it, the connection that keeps the most is closed even if it receives
 * nothing. This works for TCP on Linux only: the clients of a unix socket cannot be told apart.
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
   * @param emergency size of the program, in bytes, past which the connection that keeps the most is
   * closed in any case
   * @param residentBytes the size of the program
   * @param received the bytes received on each connection, by {@linkcode peerKey}
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

  /** Adds a connection. */
  add(receiver: Receiver): void {
    this.#receivers.set(receiver, { messages: 0, received: 0 });
    this.#timer ??= setInterval(() => this.look(), LOOK_MS);
  }

  /** Removes a connection that has ended. */
  remove(receiver: Receiver): void {
    this.#receivers.delete(receiver);
    if (this.#receivers.size === 0) this[Symbol.dispose]();
  }

  /** Checks the connections if the program has grown. */
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

  /** @param emergency whether to close at least one connection */
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
