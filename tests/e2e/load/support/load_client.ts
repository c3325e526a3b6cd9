import { isRecord, type Message, parseMessage } from "../../support/inbox.ts";
import { settled } from "../../../support/patience.ts";
import { Opcode, RawSocket } from "../../support/raw_socket.ts";
import { Ledger } from "./ledger.ts";

/** Far longer than anything takes on a machine that has much else to do. */
const HANG_MS = 60_000;
/** How long the executor may have nothing to tell. */
const SILENCE_MS = 600_000;
/**
 * How long a session waits for its client, as long as any does. A session that asks for it remembers
 * its ended processes until it ends: on a machine that has much else to do, a client may be back only
 * after the 30 s for which others do.
 */
const RETENTION_MS = 30_000;

/** An answer that says no. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly code: unknown;

  constructor(method: string, error: Message) {
    super(`${method}: ${error.message}`);
    this.code = error.code;
  }
}

/**
 * A client for thousands of commands, which books every event and can leave without a word.
 * Disposing of it ends its connection in that way too.
 */
export class LoadClient implements Disposable {
  readonly ledger: Ledger;
  readonly #socket: RawSocket;
  readonly #answers = new Map<number, (message: Message) => void>();
  readonly #ended = Promise.withResolvers<never>();
  #written: Promise<void> = Promise.resolve();
  #lastId = 0;
  #over = false;
  sessionId = "";

  private constructor(socket: RawSocket, ledger: Ledger) {
    this.#socket = socket;
    this.ledger = ledger;
    this.#ended.promise.catch(() => {});
  }

  /** Connects and opens a session, or comes back to one whose events the ledger has. */
  static async open(
    url: string,
    { ledger = new Ledger(), resumeSessionId }: {
      readonly ledger?: Ledger;
      readonly resumeSessionId?: string;
    } = {},
  ): Promise<LoadClient> {
    const client = new LoadClient(await RawSocket.open(url), ledger);
    void client.#receive();
    try {
      const opened = await client.call("initialize", {
        clientName: "load",
        resumeSessionId,
        sessionRetentionMs: RETENTION_MS,
      });
      client.sessionId = String(opened.sessionId);
      client.#send({ method: "initialized" });
    } catch (error) {
      client.cut();
      throw error;
    }
    return client;
  }

  /** Sends a request and gives its result. @throws {Refused} */
  async call(method: string, params: unknown): Promise<Message> {
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<Message>();
    this.#answers.set(id, resolve);
    this.#send({ id, method, params });
    const answered = Promise.race([promise, this.#ended.promise]);
    const { result, error } = await settled(answered, `the answer to ${method}`, HANG_MS);
    if (isRecord(error)) throw new Refused(method, error);
    if (!isRecord(result)) throw new Error(`${method} was answered without a result`);
    return result;
  }

  /** Starts a process, whose events are booked from now on. */
  async start(params: Message): Promise<void> {
    this.ledger.account(String(params.processId));
    await this.call("process/start", params);
  }

  /** Waits for the last event of a process. */
  async closed(processId: string): Promise<void> {
    const { closed } = this.ledger.account(processId);
    await settled(Promise.race([closed, this.#ended.promise]), `the end of ${processId}`, HANG_MS);
  }

  /** Ends the connection as a lost path does: no close frame, no answer to one. */
  cut(): void {
    if (this.#over) return;
    this.#over = true;
    this.#socket[Symbol.dispose]();
    this.ledger.interrupt();
    this.#ended.reject(new Error("the connection was cut"));
  }

  [Symbol.dispose](): void {
    this.cut();
  }

  /** Reading tells when the connection has ended. */
  #send(message: Message): void {
    if (this.#over) return;
    this.#written = this.#written
      .then(() => this.#socket.send(Opcode.Text, JSON.stringify(message)))
      .catch(() => {});
  }

  async #receive(): Promise<void> {
    try {
      for (;;) {
        const frame = await this.#socket.next(SILENCE_MS);
        if (frame?.opcode !== Opcode.Text) throw new Error("the executor ended the connection");
        this.#take(parseMessage(new TextDecoder().decode(frame.payload)));
      }
    } catch (error) {
      this.#ended.reject(error);
    }
  }

  #take(message: Message): void {
    if (typeof message.id !== "number") return this.ledger.enter(message);
    this.#answers.get(message.id)?.(message);
    this.#answers.delete(message.id);
  }
}
