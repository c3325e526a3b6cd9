import type { TransportObserver } from "../../src/transport/transport.ts";

/** Keeps what a transport tells, in order. */
export class RecordedObserver implements TransportObserver {
  readonly told: string[] = [];
  /** Settles when the transport has told of its end. */
  readonly over: Promise<void>;
  readonly #end: () => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.over = promise;
    this.#end = resolve;
  }

  message(frame: string): void {
    this.told.push(frame);
  }

  unreadable(reason: string): void {
    this.told.push(`[${reason}]`);
  }

  drained(): void {
    this.told.push("[drained]");
  }

  closed(): void {
    this.told.push("[closed]");
    this.#end();
  }
}
