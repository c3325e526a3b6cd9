import { concat } from "@std/bytes/concat";
import type { ByteStream } from "../net/connection.ts";

/** Gets the events of a queue. */
export interface SendQueueObserver {
  /** Some of the queued bytes have been written. */
  written(): void;
  failed(error: unknown): void;
}

/** Largest number of bytes in one write. */
const WRITE_BYTES = 256 * 1024;

/** Writes to a connection in order, several small pieces at a time, and closes it at the end. */
export class SendQueue {
  readonly #connection: ByteStream;
  readonly #observer: SendQueueObserver;
  readonly #closed = Promise.withResolvers<void>();
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #writing = false;
  #ending = false;

  constructor(connection: ByteStream, observer: SendQueueObserver) {
    this.#connection = connection;
    this.#observer = observer;
  }

  /** Bytes that have not been written yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Settles when the connection has been closed. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  push(bytes: Uint8Array): void {
    if (this.#ending) return;
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    if (!this.#writing) this.#write();
  }

  /** Closes the connection when everything has been written, or after so many milliseconds. */
  close(milliseconds: number): void {
    if (this.#ending) return;
    this.#ending = true;
    if (milliseconds === 0 || !this.#writing) return this.#closeNow();
    const timer = setTimeout(() => this.#closeNow(), milliseconds);
    this.closed.then(() => clearTimeout(timer));
  }

  /** Starts in the next microtask, so that pieces pushed together are written together. */
  async #write(): Promise<void> {
    this.#writing = true;
    try {
      await Promise.resolve();
      for (let batch = this.#take(); batch.length > 0; batch = this.#take()) {
        await this.#writeAll(batch);
      }
    } catch (error) {
      this.#observer.failed(error);
    }
    this.#writing = false;
    if (this.#ending) this.#closeNow();
  }

  async #writeAll(batch: Uint8Array): Promise<void> {
    for (let rest = batch; rest.length > 0;) {
      const count = await this.#connection.write(rest);
      rest = rest.subarray(count);
      this.#bytes -= count;
      this.#observer.written();
    }
  }

  /** Takes as many of the first pieces as fit into one write. */
  #take(): Uint8Array {
    const [first = new Uint8Array()] = this.#pieces;
    let count = 1;
    let length = first.length;
    for (const piece of this.#pieces.slice(1, 64)) {
      if (length + piece.length > WRITE_BYTES) break;
      length += piece.length;
      count++;
    }
    const taken = this.#pieces.splice(0, count);
    return taken.length <= 1 ? first : concat(taken);
  }

  #closeNow(): void {
    try {
      this.#connection.close();
    } catch {
      // Closed already, by an error.
    }
    this.#closed.resolve();
  }
}
