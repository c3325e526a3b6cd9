import { invalidParams } from "../protocol/errors.ts";

/** Where the pieces of bodies go: a transport, or what stands in for it. */
export interface BodySink {
  send(notification: string): void;
  /** Whether so much is queued that a considerate sender waits. */
  readonly saturated: boolean;
}

/** The response bodies that are being streamed over one connection. */
export class OutgoingBodies {
  readonly #sink: BodySink;
  readonly #active = new Set<string>();
  #waiting: (() => void)[] = [];

  constructor(sink: BodySink) {
    this.#sink = sink;
  }

  /**
   * Reserves an id for a body until the result is disposed of.
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

  /** What was sent has gone far enough that more may follow, or nobody reads any more. */
  proceed(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }

  /** Settles when the client has read enough that more may follow. */
  async #room(): Promise<void> {
    while (this.#sink.saturated) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

/** What a body needs of its connection. */
interface BodyOutlet {
  send(notification: string): void;
  room(): Promise<void>;
  release(): void;
}

/** A body that a client is told of piece by piece. Disposing of it gives up its id. */
export class OutgoingBody implements Disposable {
  readonly #requestId: string;
  readonly #outlet: BodyOutlet;
  #seq = 0;
  #released = false;

  constructor(requestId: string, outlet: BodyOutlet) {
    this.#requestId = requestId;
    this.#outlet = outlet;
  }

  /** Settles when the client has read enough that more may follow. */
  room(): Promise<void> {
    return this.#outlet.room();
  }

  piece(bytes: Uint8Array): void {
    this.#send(bytes.toBase64(), false, null);
  }

  /** The last word. The id is free before the client hears it. */
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
    // Put together by hand: base64 needs no escaping, and looking for characters that do costs
    // more than everything else.
    this.#outlet.send(
      `{"method":"http/request/bodyDelta","params":{"requestId":${
        JSON.stringify(this.#requestId)
      },"seq":${++this.#seq},"deltaBase64":"${base64}","done":${done},` +
        `"error":${JSON.stringify(error)}}}`,
    );
  }
}

/** The longest that a timer can wait, in milliseconds: 25 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * When a request is over: at its deadline, at its client's end, or once it is disposed of. All that
 * it has opened is closed by its signal.
 */
export class RequestEnd implements Disposable {
  readonly #controller = new AbortController();
  readonly #clientEnd: AbortSignal;
  readonly #timer: number | undefined;

  /** @param timeoutMs milliseconds until the deadline */
  constructor(clientEnd: AbortSignal, timeoutMs: number | undefined) {
    this.#clientEnd = clientEnd;
    if (clientEnd.aborted || timeoutMs === 0) this.#controller.abort();
    clientEnd.addEventListener("abort", this.#clientEnded);
    if (timeoutMs !== undefined && timeoutMs <= LONGEST_TIMER_MS) {
      this.#timer = setTimeout(() => this.#controller.abort(), timeoutMs);
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#clientEnd.removeEventListener("abort", this.#clientEnded);
    this.#controller.abort();
  }

  readonly #clientEnded = () => this[Symbol.dispose]();
}
