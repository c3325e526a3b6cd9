import { duplicate } from "./pipes.ts";
import { Ready, sharedPoller } from "./epoll.ts";
import { closeDescriptor, type Descriptor } from "./descriptor.ts";
import { EAGAIN, lastErrno } from "./errno.ts";
import { SocketFlow } from "./socket_flow.ts";
import { beginConnectingTo, endSending, isConnected, receive, send } from "./sockets.ts";

/** A connection broke, or was closed while somebody waited for it. */
export class ConnectionBroken extends Error {
  override readonly name = "ConnectionBroken";
}

/** A connected socket of the system's, read and written as the runtime's connections are. */
export class DescriptorStream {
  readonly #socket: Descriptor;
  /** Called when it is closed. */
  readonly #waiting = new Set<() => void>();
  #closed = false;

  /** @param socket one that never waits; it belongs to the stream from now on */
  constructor(socket: Descriptor) {
    this.#socket = socket;
  }

  /**
   * Connects to a port of an address, 4 bytes of IPv4 or 16 of IPv6.
   *
   * @throws {SocketError} when that cannot even be tried
   * @throws {ConnectionBroken} when it fails, or the signal is aborted first
   */
  static async connect(
    address: readonly number[],
    port: number,
    signal: AbortSignal,
  ): Promise<DescriptorStream> {
    const socket = beginConnectingTo(address, port);
    const stream = new DescriptorStream(socket);
    const abort = () => stream.close();
    signal.addEventListener("abort", abort);
    try {
      signal.throwIfAborted();
      await stream.#ready(socket, Ready.Output);
      if (!isConnected(socket)) throw new ConnectionBroken("the connection was refused");
      return stream;
    } catch (error) {
      stream.close();
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Reads at least one byte; null when the other side sends no more. */
  async read(buffer: Uint8Array<ArrayBuffer>): Promise<number | null> {
    for (;;) {
      if (this.#closed) throw new ConnectionBroken("the connection is closed");
      const count = receive(this.#socket, buffer);
      if (count > 0) return count;
      if (count === 0) return null;
      if (lastErrno() !== EAGAIN) throw new ConnectionBroken("the connection broke");
      await this.#ready(this.#socket, Ready.Input);
    }
  }

  /** Returns how much was taken. */
  async write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    for (;;) {
      if (this.#closed) throw new ConnectionBroken("the connection is closed");
      const count = send(this.#socket, bytes);
      if (count >= 0) return count;
      if (lastErrno() !== EAGAIN) throw new ConnectionBroken("the connection broke");
      await this.#roomToWrite();
    }
  }

  /** Passes everything on that comes, and then that there is no more. */
  async pipeTo(target: Writable): Promise<void> {
    if (!(target instanceof DescriptorStream)) return await this.#copyTo(target);
    if (this.#closed || target.#closed) throw new ConnectionBroken("the connection is closed");
    const over = Promise.withResolvers<void>();
    const broken = () => {
      flow.stop();
      over.reject(new ConnectionBroken("the connection broke"));
    };
    const flow = new SocketFlow(this.#socket, target.#socket, { ended: over.resolve, broken });
    const streams = [this, target];
    for (const stream of streams) stream.#waiting.add(broken);
    try {
      await over.promise;
    } finally {
      for (const stream of streams) stream.#waiting.delete(broken);
    }
  }

  /** Tells the other side that nothing more comes. */
  closeWrite(): void {
    if (!this.#closed) endSending(this.#socket);
  }

  /** Ends both directions. Whoever waits is told, and stops watching, before the socket is gone. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const tell of this.#waiting) tell();
    closeDescriptor(this.#socket);
  }

  async #copyTo(target: Writable): Promise<void> {
    const buffer = new Uint8Array(COPY_BYTES);
    for (let count = await this.read(buffer); count !== null; count = await this.read(buffer)) {
      for (let sent = 0; sent < count;) sent += await target.write(buffer.subarray(sent, count));
    }
    await target.closeWrite();
  }

  /** A descriptor can be watched once, and somebody may read meanwhile. */
  async #roomToWrite(): Promise<void> {
    const writeEnd = duplicate(this.#socket);
    try {
      await this.#ready(writeEnd, Ready.Output);
    } finally {
      closeDescriptor(writeEnd);
    }
  }

  #ready(descriptor: Descriptor, interest: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        sharedPoller().unwatch(descriptor);
        this.#waiting.delete(broken);
      };
      const broken = () => {
        stop();
        reject(new ConnectionBroken("the connection was closed"));
      };
      this.#waiting.add(broken);
      sharedPoller().watch(descriptor, interest, () => {
        stop();
        resolve();
      });
    });
  }
}

/** Bytes that are copied at once. */
const COPY_BYTES = 64 * 1024;

/** What can be written to. */
interface Writable {
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number>;
  closeWrite(): Promise<void> | void;
}
