import type { NotificationSink } from "../../src/server/session.ts";
import type { CloseReason, Transport, TransportObserver } from "../../src/transport/transport.ts";

/** A message as it left, read back. */
export type SentMessage = Record<string, unknown>;

/** A transport whose other side is the test. */
export class FakeTransport implements Transport {
  readonly kind = "stdio";
  readonly sent: string[] = [];
  /** Why it was closed from this side. */
  closeReason: CloseReason | undefined;
  saturated = false;
  #observer: TransportObserver | undefined;

  open(observer: TransportObserver): void {
    this.#observer = observer;
  }

  send(message: string): void {
    this.sent.push(message);
  }

  close(reason: CloseReason): void {
    if (this.closeReason !== undefined) return;
    this.closeReason = reason;
    this.#observer?.closed(reason.kind);
  }

  /** What {@linkcode flushed} waits for. */
  flushing: Promise<void> = Promise.resolve();

  flushed(): Promise<void> {
    return this.flushing;
  }

  /** Delivers one message, or a text as it is. */
  receive(message: object | string): void {
    this.#observer?.message(typeof message === "string" ? message : JSON.stringify(message));
  }

  receiveUnreadable(reason: string): void {
    this.#observer?.unreadable(reason);
  }

  /** The client has read what was sent. */
  drain(): void {
    this.saturated = false;
    this.#observer?.drained();
  }

  /** The client is gone. */
  vanish(): void {
    this.#observer?.closed("lost");
  }

  /** Takes what was sent so far. */
  take(): SentMessage[] {
    return this.sent.splice(0).map((text) => JSON.parse(text));
  }
}

/** Where a session's notifications go, without a transport. */
export class FakeSink implements NotificationSink {
  readonly sent: string[] = [];
  saturated = false;
  closed = false;

  send(notification: string): void {
    this.sent.push(notification);
  }

  close(): void {
    this.closed = true;
  }

  /** Takes the method and the number of each notification so far. */
  take(): string[] {
    return this.sent.splice(0).map((text) => {
      const { method, params } = JSON.parse(text);
      return `${method} ${params.processId} ${params.seq}`;
    });
  }
}
