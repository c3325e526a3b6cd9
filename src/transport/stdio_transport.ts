import { deadline } from "@std/async/deadline";
import { LINE_FEED, LineSplitter } from "./line_splitter.ts";
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
import { asTexts, utf8Bytes } from "./utf8.ts";

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
