import { settled } from "../../support/patience.ts";

/** One message of the executor, as parsed JSON. */
export type Message = Readonly<Record<string, unknown>>;

/** A message and the text that it came as, in which large numbers are whole. */
export interface Received {
  readonly message: Message;
  readonly text: string;
}

/** How a connection ended. */
export interface Ending {
  /** The close code of a WebSocket, the exit code of a program. */
  readonly code: number;
  readonly reason: string;
}

interface Waiting {
  readonly matches: (message: Message) => boolean;
  readonly take: (received: Received) => void;
  readonly fail: (error: Error) => void;
}

/** Messages that came, each for whoever asks for it first. */
export class Inbox {
  readonly #unclaimed: Received[] = [];
  readonly #waiting = new Set<Waiting>();
  readonly #ended = Promise.withResolvers<Ending>();
  #ending: Ending | undefined;

  /** Settles when the connection has ended. */
  get ended(): Promise<Ending> {
    return this.#ended.promise;
  }

  /** What came and nobody has asked for yet. */
  get unclaimed(): readonly Message[] {
    return this.#unclaimed.map(({ message }) => message);
  }

  receive(text: string): void {
    const received = { message: parseMessage(text), text };
    for (const waiting of this.#waiting) {
      if (!waiting.matches(received.message)) continue;
      this.#waiting.delete(waiting);
      return waiting.take(received);
    }
    this.#unclaimed.push(received);
  }

  end(ending: Ending): void {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    this.#ended.resolve(ending);
    for (const waiting of this.#waiting) waiting.fail(connectionEnded(ending));
    this.#waiting.clear();
  }

  /** The first message not yet taken that matches. @throws {Error} when none comes */
  async next(matches: (message: Message) => boolean, what: string): Promise<Received> {
    const index = this.#unclaimed.findIndex(({ message }) => matches(message));
    const [received] = index >= 0 ? this.#unclaimed.splice(index, 1) : [];
    if (received !== undefined) return received;
    if (this.#ending !== undefined) throw connectionEnded(this.#ending);
    const { promise, resolve, reject } = Promise.withResolvers<Received>();
    this.#waiting.add({ matches, take: resolve, fail: reject });
    return await settled(promise, what);
  }
}

/** Reads a frame or line. @throws {Error} when it is no JSON object */
export function parseMessage(text: string): Message {
  const value: unknown = JSON.parse(text);
  if (isRecord(value)) return value;
  throw new Error(`not a JSON object: ${text}`);
}

/** Whether a value is an object with members. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function connectionEnded({ code, reason }: Ending): Error {
  return new Error(`the connection has ended: ${code} ${reason}`);
}
