import { deadline } from "@std/async/deadline";
import {
  type CloseReason,
  DEFAULT_TRANSPORT_LIMITS,
  type EndReason,
  FLUSH_PATIENCE_MS,
  type OutgoingMessage,
  type Transport,
  type TransportLimits,
  type TransportObserver,
} from "./transport.ts";
import { asTexts, utf8Bytes, utf8Text } from "./utf8.ts";
import { ByteQueue } from "./byte_queue.ts";

/** What ends a line. */
const LINE_FEED = 0x0a;

const SPACE = 0x20;
/** Tab, line feed, vertical tab, form feed and carriage return are next to each other. */
const [TAB, CARRIAGE_RETURN] = [0x09, 0x0d];
const LAST_ASCII = 0x7f;

/** Gets the lines of a line splitter. */
export interface LineObserver {
  /** A line, without its end. The bytes are valid during the call only, and may not be UTF-8. */
  line(bytes: Uint8Array): void;
  unreadable(reason: string): void;
}

/**
 * Splits a stream of bytes into lines. Blank lines are skipped.
 */
export class LineSplitter {
  readonly #limit: number;
  readonly #observer: LineObserver;
  /** The beginning of a line whose end has not come. */
  readonly #begun = new ByteQueue();
  /** The length of that line, of which nothing is kept once it is too long. */
  #length = 0;

  /** @param limit the longest line that is read, in bytes */
  constructor(limit: number, observer: LineObserver) {
    this.#limit = limit;
    this.#observer = observer;
  }

  push(chunk: Uint8Array): void {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      this.#complete(chunk.subarray(start, end));
      start = end + 1;
    }
    this.#begin(chunk.subarray(start));
  }

  /** Ends the stream; bytes after the last line end are a line too. */
  end(): void {
    this.#complete(new Uint8Array());
  }

  #begin(part: Uint8Array): void {
    this.#length += part.length;
    if (this.#length <= this.#limit) this.#begun.push(part);
    else this.#begun.drop(this.#begun.length);
  }

  #complete(rest: Uint8Array): void {
    if (this.#length === 0) return this.#emit(rest, rest.length);
    this.#begin(rest);
    const { bytes } = this.#begun;
    const length = this.#length;
    this.#length = 0;
    this.#begun.drop(bytes.length);
    this.#emit(bytes, length);
  }

  #emit(line: Uint8Array, length: number): void {
    if (length > this.#limit) {
      this.#observer.unreadable(`a line of ${length} bytes, the limit is ${this.#limit}`);
    } else if (!isBlank(line)) this.#observer.line(line);
  }
}

function isBlank(line: Uint8Array): boolean {
  const first = line.find((byte) => byte !== SPACE && (byte < TAB || byte > CARRIAGE_RETURN));
  if (first === undefined) return true;
  // There are other spaces than those of ASCII.
  return first > LAST_ASCII && utf8Text(line)?.trim() === "";
}

/** Carries messages as lines of a pair of byte streams. */
export class StdioTransport implements Transport {
  readonly kind = "stdio";
  readonly #input: ReadableStream<Uint8Array>;
  readonly #output: WritableStreamDefaultWriter<Uint8Array>;
  readonly #limits: TransportLimits;
  #observer: TransportObserver<Uint8Array> | undefined;
  #queuedBytes = 0;
  #wasSaturated = false;
  #over = false;

  constructor(
    input: ReadableStream<Uint8Array>,
    output: WritableStream<Uint8Array>,
    limits: TransportLimits = DEFAULT_TRANSPORT_LIMITS,
  ) {
    this.#limits = limits;
    this.#input = input;
    this.#output = output.getWriter();
  }

  /** Whether the connection has ended. */
  get over(): boolean {
    return this.#over;
  }

  get saturated(): boolean {
    const saturated = !this.#over && this.#queuedBytes > this.#limits.saturatedBytes();
    this.#wasSaturated ||= saturated;
    return saturated;
  }

  open(observer: TransportObserver): void {
    this.openBytes(asTexts(observer, "a line"));
  }

  /** As {@linkcode open}, with messages that are valid during the call only and may not be UTF-8. */
  openBytes(observer: TransportObserver<Uint8Array>): void {
    this.#observer = observer;
    this.#read().then((reason) => this.#ended(reason));
    // A write to the runtime's stream that fails still resolves; only `closed` reports the failure.
    this.#output.closed.catch(() => this.#ended("lost"));
  }

  send(message: OutgoingMessage): void {
    if (this.#over) return;
    const bytes = utf8Bytes(message, { after: 1 });
    bytes[bytes.length - 1] = LINE_FEED;
    this.#queuedBytes += bytes.length;
    this.#output.write(bytes).then(() => this.#written(bytes.length), () => this.#ended("lost"));
  }

  close({ kind }: CloseReason): void {
    this.#ended(kind);
  }

  async flushed(): Promise<void> {
    await deadline(this.#output.close(), FLUSH_PATIENCE_MS).catch(() => {});
  }

  async #read(): Promise<EndReason> {
    const lines = new LineSplitter(this.#limits.maxMessageBytes, {
      line: (bytes) => {
        if (!this.#over) this.#observer?.message(bytes);
      },
      unreadable: (reason) => {
        if (!this.#over) this.#observer?.unreadable(reason);
      },
    });
    try {
      for await (const chunk of this.#input) {
        if (this.#over) break;
        lines.push(chunk);
      }
      lines.end();
      return "closedByPeer";
    } catch {
      // The peer is gone; the connection ends as at the end of input.
      return "lost";
    }
  }

  #written(bytes: number): void {
    this.#queuedBytes -= bytes;
    if (this.#over || !this.#wasSaturated) return;
    if (this.#queuedBytes > this.#limits.saturatedBytes() / 2) return;
    this.#wasSaturated = false;
    this.#observer?.drained();
  }

  #ended(reason: EndReason): void {
    if (this.#over) return;
    this.#over = true;
    this.#observer?.closed(reason);
  }
}
