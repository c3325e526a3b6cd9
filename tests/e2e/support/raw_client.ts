import { type Ending, Inbox, isRecord, type Message } from "./inbox.ts";
import { settled } from "../../support/patience.ts";

/** How messages leave, and how the connection is given up. */
export interface Link {
  readonly kind: "websocket" | "stdio";
  send(text: string): void;
  /** Ends the connection from this side and cleans up behind it. */
  close(): Promise<void>;
}

/**
 * A client that sends whatever it is told to and believes nothing: no types, no checks.
 * Disposing of it closes the connection.
 */
export class RawClient implements AsyncDisposable {
  readonly inbox: Inbox;
  readonly #link: Link;
  #lastId = 0;

  constructor(link: Link, inbox: Inbox) {
    this.#link = link;
    this.inbox = inbox;
  }

  get kind(): Link["kind"] {
    return this.#link.kind;
  }

  /** The connection's end, whoever ends it; to be awaited. */
  get ended(): Promise<Ending> {
    return settled(this.inbox.ended, "the connection's end");
  }

  /** Sends a frame or line as it is. */
  send(text: string): void {
    this.#link.send(text);
  }

  /** Sends a request and waits for its answer, be it a result or an error. */
  request(method: string, params?: unknown): Promise<Message> {
    const id = `request ${++this.#lastId}`;
    this.send(JSON.stringify({ id, method, params }));
    return this.answer(id);
  }

  notify(method: string, params?: unknown): void {
    this.send(JSON.stringify({ method, params }));
  }

  /** The answer to a request with this id. -1 stands for messages that were not understood. */
  async answer(id: string | number): Promise<Message> {
    const matches = (message: Message) => message.id === id;
    return (await this.inbox.next(matches, `the answer to ${id}`)).message;
  }

  /** The next notification of a process. */
  async event(processId: string): Promise<Message> {
    const matches = ({ params }: Message) => isRecord(params) && params.processId === processId;
    return (await this.inbox.next(matches, `an event of process ${processId}`)).message;
  }

  /** All notifications of a process until it is closed. */
  async events(processId: string): Promise<readonly Message[]> {
    const events: Message[] = [];
    while (events.at(-1)?.method !== "process/closed") events.push(await this.event(processId));
    return events;
  }

  /** Opens or resumes a session. Returns its id. */
  async initialize(resumeSessionId?: string): Promise<string> {
    const answer = await this.request("initialize", { clientName: "conformance", resumeSessionId });
    if (!isRecord(answer.result) || typeof answer.result.sessionId !== "string") {
      throw new Error(`initialize failed: ${JSON.stringify(answer)}`);
    }
    this.notify("initialized");
    return answer.result.sessionId;
  }

  async close(): Promise<void> {
    await this.#link.close();
    await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
