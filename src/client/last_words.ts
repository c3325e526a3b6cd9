import { deadline } from "@std/async/deadline";
import type { RpcConnection } from "./rpc_connection.ts";

/** How long an executor may take to hear them, in milliseconds. */
const PATIENCE_MS = 2_000;

/**
 * What a client says to an executor last: that its processes are to end, and its session.
 *
 * An executor that cannot send any more counts the connection as lost, with all that it has not read yet.
 * So the client stays for as long as the executor may be about to send something.
 */
export class LastWords {
  readonly #open: Set<string>;
  readonly #allClosed = Promise.withResolvers<void>();
  readonly #answered: Promise<unknown>;
  /** Whether something else than the ends of processes is still to come. */
  readonly #waiting: boolean;

  /**
   * Says them.
   *
   * @param processIds those that have not closed
   * @param endsSession whether the executor can be told that a session is over
   */
  constructor(connection: RpcConnection, processIds: readonly string[], endsSession: boolean) {
    this.#waiting = connection.waiting;
    this.#open = new Set(processIds);
    const answers: Promise<unknown>[] = processIds
      .map((processId) => connection.call("process/terminate", { processId }));
    if (endsSession) answers.push(connection.call("session/end", {}));
    this.#answered = Promise.allSettled(answers);
  }

  /** A process has closed: nothing more is told of it. */
  closed(processId: string): void {
    this.#open.delete(processId);
    if (this.#open.size === 0) this.#allClosed.resolve();
  }

  /** Settles when the executor has heard them or has nothing to send, or takes too long. */
  async heard(): Promise<void> {
    if (!this.#waiting && this.#open.size === 0) return;
    const over = this.#waiting
      ? this.#answered
      : Promise.race([this.#answered, this.#allClosed.promise]);
    await deadline(over, PATIENCE_MS).catch(() => {});
  }
}
