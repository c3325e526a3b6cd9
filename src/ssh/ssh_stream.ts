import type { ByteStream } from "../net/connection.ts";

/** What a stream tells of its end. */
export interface SshStreamObserver {
  /** Called when nothing more can be read or written. Fails with the reason. */
  broken(): Promise<never>;
  /** It was closed from this side. */
  closed(): void;
}

/** The streams of a started ssh as one that is read and written as the runtime's connections are. */
export class SshStream implements ByteStream {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #observer: SshStreamObserver;
  #unread = new Uint8Array();

  constructor(
    output: ReadableStream<Uint8Array<ArrayBuffer>>,
    input: WritableStream<Uint8Array>,
    observer: SshStreamObserver,
  ) {
    this.#reader = output.getReader();
    this.#writer = input.getWriter();
    this.#observer = observer;
  }

  async read(buffer: Uint8Array): Promise<number> {
    if (this.#unread.length === 0) {
      const { done, value } = await this.#reader.read();
      if (done) return await this.#observer.broken();
      this.#unread = value;
    }
    const taken = this.#unread.subarray(0, buffer.length);
    buffer.set(taken);
    this.#unread = this.#unread.subarray(taken.length);
    return taken.length;
  }

  async write(bytes: Uint8Array): Promise<number> {
    try {
      await this.#writer.write(bytes);
      return bytes.length;
    } catch {
      return await this.#observer.broken();
    }
  }

  close(): void {
    this.#reader.cancel().catch(() => {});
    this.#writer.close().catch(() => {});
    this.#observer.closed();
  }
}
