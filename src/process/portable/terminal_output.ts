import type { Duplex } from "node:stream";
import type { ChildOutput, OutputObserver } from "./streams.ts";

/** Reads a terminal. Its hang-up, an error to Node.js, is the end. */
export class TerminalOutput implements ChildOutput {
  readonly #stream: Duplex;
  readonly #observer: OutputObserver;
  #over = false;

  constructor(stream: Duplex, observer: OutputObserver) {
    this.#stream = stream;
    this.#observer = observer;
    stream.on("data", (bytes: Uint8Array) => observer.bytes(new Uint8Array(bytes)));
    stream.on("error", () => this.#end());
    stream.on("end", () => this.#end());
    stream.on("close", () => this.#end());
    stream.pause();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  close(): void {
    this.#over = true;
    this.#stream.removeAllListeners("data");
    this.#stream.destroy();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#stream.destroy();
    this.#observer.ended();
  }
}
