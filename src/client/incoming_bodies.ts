import type { NotificationParams } from "../protocol/methods.ts";
import { ConnectionError } from "../transport/client_transport.ts";

/** Bytes of a streamed body that may wait to be read. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

interface Body {
  readonly controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  readonly ahead: Map<number, NotificationParams<"http/request/bodyDelta">>;
  next: number;
}

/** The response bodies being streamed over the current connection. */
export class IncomingBodies {
  readonly #bodies = new Map<string, Body>();

  /** Returns a stream of the body that a request will get. */
  open(requestId: string): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        this.#bodies.set(requestId, { controller, ahead: new Map(), next: 1 });
      },
      cancel: () => {
        this.#bodies.delete(requestId);
      },
    }, new ByteLengthQueuingStrategy({ highWaterMark: MAX_WAITING_BYTES }));
  }

  /** Drops a body whose request failed. */
  forget(requestId: string): void {
    this.#bodies.delete(requestId);
  }

  /** Adds a piece. The stream has the pieces in order, in whatever order they arrive. */
  notified(delta: NotificationParams<"http/request/bodyDelta">): void {
    const body = this.#bodies.get(delta.requestId);
    body?.ahead.set(delta.seq, delta);
    while (body !== undefined) {
      const next = body.ahead.get(body.next);
      if (next === undefined) return;
      body.ahead.delete(body.next++);
      this.#read(body, next);
    }
  }

  /** Fails all bodies: the executor does not continue them after a lost connection. */
  fail(reason: ConnectionError): void {
    for (const { controller } of this.#bodies.values()) controller.error(reason);
    this.#bodies.clear();
  }

  #read(
    { controller }: Body,
    { requestId, deltaBase64, done, error }: NotificationParams<"http/request/bodyDelta">,
  ): void {
    if (!this.#bodies.has(requestId)) return;
    if (deltaBase64.length > 0) controller.enqueue(deltaBase64);
    const full = (controller.desiredSize ?? 0) < 0;
    if (error === undefined && !full && !done) return;
    this.#bodies.delete(requestId);
    if (error !== undefined) controller.error(new Error(`the response broke off: ${error}`));
    else if (done) controller.close();
    else controller.error(new Error("the response's body was read too slowly"));
  }
}
