import { toBase64 } from "../protocol/base64.ts";
import type { WriteStatus } from "../protocol/process.ts";
import { ConnectionError } from "../transport/client_transport.ts";
import type { RpcConnection } from "./rpc_connection.ts";

/**
 * Requests under way at the same time. Executors remember the ids of many more writes, so they recognise
 * each one that is repeated.
 */
const WINDOW = 64;

interface Entry {
  readonly send: (connection: RpcConnection) => Promise<WriteStatus>;
  readonly settle: (status: WriteStatus) => void;
  readonly reject: (error: Error) => void;
  sent: boolean;
}

/**
 * The input of one process on its way to the executor, which gets it in order and each part once, across
 * connections. A write without an answer is repeated over the next connection with the same write id, by
 * which the executor recognises it.
 */
export class InputQueue {
  readonly #processId: string;
  readonly #entries: Entry[] = [];
  readonly #idPrefix = crypto.randomUUID();
  #lastWrite = 0;
  #connection: RpcConnection | undefined;
  #processEnded = false;
  #whenSettled: (() => void) | undefined;
  #failure: Error | undefined;

  constructor(processId: string) {
    this.#processId = processId;
  }

  /** Sends input. Settles with the executor's answer. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteStatus> {
    const params = {
      processId: this.#processId,
      chunk: toBase64(bytes),
      writeId: `${this.#idPrefix}-${++this.#lastWrite}`,
    };
    return this.#push(async (connection) =>
      (await connection.call("process/write", params)).status
    );
  }

  /** Ends the input after what was written before; ending it again changes nothing. */
  async close(): Promise<void> {
    const processId = this.#processId;
    await this.#push(async (connection) => {
      await connection.call("process/closeStdin", { processId });
      return "accepted";
    });
  }

  /** There is a new connection, over which all that has no answer is sent again. */
  connected(connection: RpcConnection): void {
    this.#connection = connection;
    for (const entry of this.#entries) entry.sent = false;
    this.#pump();
  }

  disconnected(): void {
    this.#connection = undefined;
  }

  /**
   * The process has ended. Writes under way still get their answers, as the process may have read part
   * of them.
   *
   * @param settled called when every write has its answer
   */
  processEnded(settled: () => void): void {
    this.#processEnded = true;
    this.#whenSettled = settled;
    this.#tellIfSettled();
  }

  /** Rejects all writes, now and later. */
  fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#entries.splice(0)) reject(error);
  }

  #push(send: Entry["send"]): Promise<WriteStatus> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#processEnded) return Promise.resolve("stdinClosed");
    return new Promise((settle, reject) => {
      this.#entries.push({ send, settle, reject, sent: false });
      this.#pump();
    });
  }

  #pump(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    for (const entry of this.#entries.slice(0, WINDOW)) {
      if (!entry.sent) this.#send(entry, connection);
    }
  }

  async #send(entry: Entry, connection: RpcConnection): Promise<void> {
    entry.sent = true;
    try {
      const status = await entry.send(connection);
      this.#remove(entry);
      entry.settle(status);
    } catch (error) {
      // The entry stays in the queue for the next connection.
      if (error instanceof ConnectionError) return;
      this.#remove(entry);
      if (this.#processEnded) entry.settle("stdinClosed");
      else entry.reject(error instanceof Error ? error : new Error(String(error)));
    }
    this.#pump();
    this.#tellIfSettled();
  }

  #tellIfSettled(): void {
    if (this.#entries.length > 0) return;
    this.#whenSettled?.();
    this.#whenSettled = undefined;
  }

  #remove(entry: Entry): void {
    const index = this.#entries.indexOf(entry);
    if (index >= 0) this.#entries.splice(index, 1);
  }
}
