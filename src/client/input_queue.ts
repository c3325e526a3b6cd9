import type { WriteStatus } from "../protocol/process.ts";
import { ConnectionError } from "../transport/client_transport.ts";
import type { RpcConnection } from "./rpc_connection.ts";

/**
 * Requests under way at once. Executors remember the ids of many more writes, so that none that is
 * repeated has been forgotten.
 */
const WINDOW = 64;

interface Entry {
  readonly send: (connection: RpcConnection) => Promise<WriteStatus>;
  readonly settle: (status: WriteStatus) => void;
  readonly reject: (error: Error) => void;
  sent: boolean;
}

/**
 * Input of one process on its way to the executor: in order, and each part once, whatever becomes
 * of connections. What had no answer when one broke is sent again over the next, with the same
 * write id, by which the executor knows what it has done already.
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

  write(bytes: Uint8Array<ArrayBuffer>): Promise<WriteStatus> {
    const params = {
      processId: this.#processId,
      chunk: bytes.toBase64(),
      writeId: `${this.#idPrefix}-${++this.#lastWrite}`,
    };
    return this.#push(async (connection) =>
      (await connection.call("process/write", params)).status
    );
  }

  /** Ends the input, behind what was written before; ending it again does no harm. */
  async close(): Promise<void> {
    const processId = this.#processId;
    await this.#push(async (connection) => {
      await connection.call("process/closeStdin", { processId });
      return "accepted";
    });
  }

  /** There is a connection, and nothing of what has no answer has been sent over it. */
  connected(connection: RpcConnection): void {
    this.#connection = connection;
    for (const entry of this.#entries) entry.sent = false;
    this.#pump();
  }

  disconnected(): void {
    this.#connection = undefined;
  }

  /**
   * Nobody reads any more. What has no answer yet is still to have one, as part of it may have been
   * read; calls back when all has.
   */
  processEnded(settled: () => void): void {
    this.#processEnded = true;
    this.#whenSettled = settled;
    this.#tellIfSettled();
  }

  /** Nothing more can be sent. */
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
      // It stays in the queue for the next connection.
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
