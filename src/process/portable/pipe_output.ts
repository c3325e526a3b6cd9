import type { ChildOutput, OutputObserver } from "./streams.ts";

/** Reads a pipe, a piece at a time and none ahead of a pause but the one on its way. */
export class PipeOutput implements ChildOutput {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  readonly #observer: OutputObserver;
  #resumed = Promise.withResolvers<void>();
  #paused = true;
  #closed = false;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>, observer: OutputObserver) {
    this.#reader = stream.getReader();
    this.#observer = observer;
    this.#read();
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#resumed = Promise.withResolvers();
  }

  resume(): void {
    this.#paused = false;
    this.#resumed.resolve();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.resume();
    this.#reader.cancel().catch(() => {});
  }

  async #read(): Promise<void> {
    while (!this.#closed) {
      const bytes = await this.#next();
      while (this.#paused) await this.#resumed.promise;
      if (this.#closed) return;
      if (bytes === undefined) break;
      this.#observer.bytes(bytes);
    }
    if (this.#closed) return;
    this.#closed = true;
    this.#observer.ended();
  }

  /** A pipe that cannot be read any more has nothing left to say. */
  async #next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (this.#paused) await this.#resumed.promise;
    return await this.#reader.read().then(({ value }) => value, () => undefined);
  }
}
