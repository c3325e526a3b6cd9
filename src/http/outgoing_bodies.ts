import { invalidParams } from "../protocol/errors.ts";
import { MAX_TIMER_MS } from "../protocol/timer.ts";

/** Where the notifications with the pieces of bodies go. */
export interface BodySink {
  send(notification: string): void;
  /** Whether so much is unsent that the sender should wait. */
  readonly saturated: boolean;
}

/** The response bodies being streamed to the client of one connection. */
export class OutgoingBodies {
  readonly #sink: BodySink;
  readonly #active = new Set<string>();
  #waiting: (() => void)[] = [];

  constructor(sink: BodySink) {
    this.#sink = sink;
  }

  /**
   * Reserves a request id for a body, until the result is disposed of.
   *
   * @throws {RpcError} -32602 while the id is another body's
   */
  reserve(requestId: string): OutgoingBody {
    if (this.#active.has(requestId)) {
      throw invalidParams(
        `http/request streamResponse requestId \`${requestId}\` is already active`,
      );
    }
    this.#active.add(requestId);
    return new OutgoingBody(requestId, {
      send: (notification) => this.#sink.send(notification),
      room: () => this.#room(),
      release: () => this.#active.delete(requestId),
    });
  }

  /** Continues what waited, as the client has read enough or the connection has ended. */
  proceed(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }

  /** Settles when the client has read enough to send more. */
  async #room(): Promise<void> {
    while (this.#sink.saturated) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

/** How a body uses its connection. */
interface BodyOutlet {
  send(notification: string): void;
  room(): Promise<void>;
  release(): void;
}

/** A body that is sent piece by piece. Disposing of it frees its request id. */
export class OutgoingBody implements Disposable {
  readonly #requestId: string;
  readonly #outlet: BodyOutlet;
  #seq = 0;
  #released = false;

  constructor(requestId: string, outlet: BodyOutlet) {
    this.#requestId = requestId;
    this.#outlet = outlet;
  }

  /** Settles when the client has read enough to send more. */
  room(): Promise<void> {
    return this.#outlet.room();
  }

  /** Sends the next piece. */
  piece(bytes: Uint8Array): void {
    this.#send(bytes.toBase64(), false, null);
  }

  /** Sends the end, with the error if there is one. The id is free before the client learns of it. */
  end(error: string | null): void {
    this[Symbol.dispose]();
    this.#send("", true, error);
  }

  [Symbol.dispose](): void {
    if (this.#released) return;
    this.#released = true;
    this.#outlet.release();
  }

  #send(base64: string, done: boolean, error: string | null): void {
    // Encoded by hand: base64 needs no escaping, and looking for what does costs more than the rest.
    this.#outlet.send(
      `{"method":"http/request/bodyDelta","params":{"requestId":${
        JSON.stringify(this.#requestId)
      },"seq":${++this.#seq},"deltaBase64":"${base64}","done":${done},` +
        `"error":${JSON.stringify(error)}}}`,
    );
  }
}

/**
 * The end of a request: its deadline, the end of its client's connection, or its disposal. Each aborts
 * the signal, which closes what the request has opened.
 *
 * `AbortSignal.timeout` would keep its timer, and what refers to it, until a deadline that the client
 * sets, long after the request has been answered.
 */
export class RequestEnd implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: number | undefined;
  /** Aborted at the end. */
  readonly signal: AbortSignal;

  /** @param timeoutMs milliseconds until the deadline */
  constructor(clientEnd: AbortSignal, timeoutMs: number | undefined) {
    this.signal = AbortSignal.any([clientEnd, this.#controller.signal]);
    if (timeoutMs === 0) this.#controller.abort();
    if (timeoutMs !== undefined && timeoutMs <= MAX_TIMER_MS) {
      this.#timer = setTimeout(() => this.#controller.abort(), timeoutMs);
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#controller.abort();
  }
}
