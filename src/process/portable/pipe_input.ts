import type { WriteOutcome } from "../child.ts";
import type { ChildInput } from "./streams.ts";

/** Writes to a pipe. */
export class PipeInput implements ChildInput {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #closed = Promise.withResolvers<WriteOutcome>();
  #open = true;

  constructor(stream: WritableStream<Uint8Array<ArrayBuffer>>) {
    this.#writer = stream.getWriter();
    // Each write reports its own failure.
    this.#writer.closed.catch(() => {});
    this.#writer.ready.catch(() => {});
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome> {
    if (!this.#open) return Promise.resolve("closed");
    return Promise.race([this.#write(bytes), this.#closed.promise]);
  }

  end(): void {
    this.#open = false;
    this.#writer.close().catch(() => {});
  }

  close(): void {
    this.#open = false;
    this.#closed.resolve("closed");
    this.#writer.abort().catch(() => {});
  }

  /** The runtime reports a write that failed as done, and its stream as being in error. */
  async #write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteOutcome> {
    try {
      await this.#writer.write(bytes);
      return this.#writer.desiredSize === null ? "closed" : "written";
    } catch {
      return "closed";
    }
  }
}
