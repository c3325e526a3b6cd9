import { ConnectionError } from "../transport/client_transport.ts";

const LINE_FEED = 0x0a;
/** What a host may say before it is our turn, such as what its shell prints at its start. */
const MAX_PREAMBLE_BYTES = 64 * 1024;
const MARK = "remex-host ";

/** What the script on a host tells, a line each. */
export type HostLine =
  /** A bridge takes messages, a line each. */
  | { readonly kind: "ready"; readonly path: string }
  /** Bytes go to the executor as they are, and it has agreed to a WebSocket. */
  | { readonly kind: "joined"; readonly executorCwd: string | undefined }
  | { readonly kind: "missing"; readonly system: string; readonly machine: string }
  | { readonly kind: "place"; readonly path: string }
  | { readonly kind: "failed"; readonly what: string; readonly words: string };

/** Reads the lines of the script on a host, and gives the rest of the stream away. */
export class HostLines {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  #rest = new Uint8Array();
  /** What was said that is not the script's. */
  strangeWords = "";

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.getReader();
  }

  /** The next line; undefined when there is none any more. @throws {ConnectionError} */
  async next(): Promise<HostLine | undefined> {
    while (true) {
      const text = await this.#line();
      if (text === undefined) return undefined;
      const line = text.startsWith(MARK) ? parseLine(text.slice(MARK.length)) : undefined;
      if (line !== undefined) return line;
      this.strangeWords += `${text}\n`;
      if (this.strangeWords.length > MAX_PREAMBLE_BYTES) throw tooMuch();
    }
  }

  /** Everything that follows. */
  remainder(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const reader = this.#reader;
    const first = this.#rest;
    return new ReadableStream({
      start(controller) {
        if (first.length > 0) controller.enqueue(first);
      },
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    });
  }

  async #line(): Promise<string | undefined> {
    while (true) {
      const end = this.#rest.indexOf(LINE_FEED);
      if (end >= 0) {
        const line = new TextDecoder().decode(this.#rest.subarray(0, end));
        this.#rest = this.#rest.slice(end + 1);
        return line;
      }
      if (this.#rest.length > MAX_PREAMBLE_BYTES) throw tooMuch();
      const { done, value } = await this.#reader.read();
      if (done) return this.#ended();
      const longer = new Uint8Array(this.#rest.length + value.length);
      longer.set(this.#rest);
      longer.set(value, this.#rest.length);
      this.#rest = longer;
    }
  }

  #ended(): undefined {
    this.strangeWords += new TextDecoder().decode(this.#rest);
    this.#rest = new Uint8Array();
  }
}

function parseLine(text: string): HostLine | undefined {
  const [, kind, rest = ""] = /^(\w+) ?(.*)$/.exec(text) ?? [];
  const [, first = "", second = ""] = /^(\S*) ?(.*)$/.exec(rest) ?? [];
  switch (kind) {
    case "joined":
      return { kind, executorCwd: rest === "" ? undefined : rest };
    case "ready":
    case "place":
      return { kind, path: rest };
    case "missing":
      return { kind, system: first, machine: second };
    case "failed":
      return { kind, what: first, words: second };
  }
}

function tooMuch(): ConnectionError {
  return new ConnectionError("notAnExecutor", "the host says a lot, but not what it was asked");
}
