import type * as z from "zod/mini";
import {
  encodeNotification,
  encodeRequest,
  encodeRequestInParts,
  JsonParts,
  parseMessage,
} from "../protocol/envelope.ts";
import { RpcError } from "../protocol/errors.ts";
import {
  isNotification,
  type Method,
  methods,
  type Notification,
  type NotificationParams,
  notifications,
  type ParamsInput,
  type Result,
} from "../protocol/methods.ts";
import { type ClientTransport, ConnectionError } from "../transport/client_transport.ts";

/** A notification with its parsed parameters. */
export type ExecutorNotification =
  | { readonly method: "process/output"; readonly params: NotificationParams<"process/output"> }
  | { readonly method: "process/exited"; readonly params: NotificationParams<"process/exited"> }
  | { readonly method: "process/closed"; readonly params: NotificationParams<"process/closed"> }
  | {
    readonly method: "session/takenOver";
    readonly params: NotificationParams<"session/takenOver">;
  }
  | {
    readonly method: "fs/missingChanged";
    readonly params: NotificationParams<"fs/missingChanged">;
  }
  | {
    readonly method: "http/request/bodyDelta";
    readonly params: NotificationParams<"http/request/bodyDelta">;
  };

/** Gets the events of a connection. */
export interface RpcObserver {
  notified(connection: RpcConnection, notification: ExecutorNotification): void;
  /** The connection has ended, its calls are rejected. Called once, last. */
  closed(connection: RpcConnection, reason: ConnectionError): void;
}

/** The method table, typed so that a method's name gives the type of its result. */
const contracts: { readonly [M in Method]: { readonly result: z.ZodMiniType<Result<M>> } } =
  methods;

interface PendingCall {
  readonly method: Method;
  settle(answer: unknown): void;
  reject(error: Error): void;
}

/** Requests and their answers over one transport. */
export class RpcConnection {
  readonly #transport: ClientTransport;
  readonly #observer: RpcObserver;
  readonly #pending = new Map<number, PendingCall>();
  #lastId = 0;
  #ending: ConnectionError | undefined;

  constructor(transport: ClientTransport, observer: RpcObserver) {
    this.#transport = transport;
    this.#observer = observer;
    transport.open({
      message: (frame) => this.#receive(frame),
      unreadable: (reason) => this.close(notTheProtocol(reason)),
      drained: () => {},
      closed: () =>
        this.#closed(transport.ending ?? new ConnectionError("lost", "the connection ended")),
    });
  }

  /** The working directory that the executor announced, if it did: a path URI, not parsed yet. */
  get executorCwd(): string | undefined {
    return this.#transport.executorCwd;
  }

  /** Whether the connection has ended. */
  get over(): boolean {
    return this.#ending !== undefined;
  }

  /** Whether an answer is still to come. */
  get waiting(): boolean {
    return this.#pending.size > 0;
  }

  /**
   * Sends a request at once. Settles with the parsed result.
   *
   * @throws {RpcError} what the executor answered
   * @throws {ConnectionError} when the connection ends first; the request may have been carried out
   */
  async call<M extends Method>(method: M, params: ParamsInput<M> | JsonParts): Promise<Result<M>> {
    const answer = await this.#request(method, params);
    const parsed = contracts[method].result.safeParse(answer);
    if (parsed.success) return parsed.data;
    throw notTheProtocol(`its answer to ${method} has another form`);
  }

  notify(method: "initialized"): void {
    this.#transport.send(encodeNotification(method, {}));
  }

  /** Stops reading what the executor sends. */
  hold(): void {
    this.#transport.hold();
  }

  release(): void {
    this.#transport.release();
  }

  /** Ends the connection; calls that wait are rejected. Settles when all that was sent has left. */
  async close(reason: ConnectionError): Promise<void> {
    this.#ending ??= reason;
    this.#transport.close({ kind: "shutdown", message: reason.message });
    await this.#transport.flushed();
  }

  #request(method: Method, params: unknown): Promise<unknown> {
    if (this.#ending !== undefined) return Promise.reject(this.#ending);
    const id = ++this.#lastId;
    return new Promise((settle, reject) => {
      this.#pending.set(id, { method, settle, reject });
      this.#transport.send(
        params instanceof JsonParts
          ? encodeRequestInParts(id, method, params)
          : encodeRequest(id, method, params),
      );
    });
  }

  #receive(frame: string): void {
    const message = parseMessage(frame);
    switch (message.kind) {
      case "result":
        return this.#take(message.id)?.settle(message.result);
      case "error": {
        const { code, message: words, data } = message.error;
        return this.#take(message.id)?.reject(new RpcError(code, words, { data }));
      }
      case "notification":
        return this.#notified(message.method, message.params);
      case "request":
        this.close(notTheProtocol(`a request, ${message.method}`));
        return;
      case "malformed":
        this.close(notTheProtocol(message.reason));
        return;
    }
  }

  /** The call that an answer is for; an answer to no call is ignored. */
  #take(id: unknown): PendingCall | undefined {
    if (typeof id !== "number") return undefined;
    const call = this.#pending.get(id);
    this.#pending.delete(id);
    return call;
  }

  /** Ignores unknown notifications, which newer executors may send. */
  #notified(method: string, params: unknown): void {
    if (!isNotification(method)) return;
    const notification = parseNotification(method, params);
    if (notification !== undefined) return this.#observer.notified(this, notification);
    this.close(notTheProtocol(`a notification ${method} of another form`));
  }

  #closed(ending: ConnectionError): void {
    const reason = this.#ending ??= ending;
    for (const { method, reject } of this.#pending.values()) {
      const words = `no answer to ${method} before the connection ended: ${reason.message}`;
      reject(new ConnectionError(reason.code, words, { cause: reason }));
    }
    this.#pending.clear();
    this.#observer.closed(this, reason);
  }
}

function parseNotification(
  method: Notification,
  params: unknown,
): ExecutorNotification | undefined {
  switch (method) {
    case "process/output":
      return named(method, notifications[method].safeParse(params));
    case "process/exited":
      return named(method, notifications[method].safeParse(params));
    case "process/closed":
      return named(method, notifications[method].safeParse(params));
    case "session/takenOver":
      return named(method, notifications[method].safeParse(params));
    case "fs/missingChanged":
      return named(method, notifications[method].safeParse(params));
    case "http/request/bodyDelta":
      return named(method, notifications[method].safeParse(params));
  }
}

function named<N extends Notification, P>(
  method: N,
  { data }: { readonly data?: P | undefined },
): { readonly method: N; readonly params: P } | undefined {
  return data === undefined ? undefined : { method, params: data };
}

function notTheProtocol(what: string): ConnectionError {
  return new ConnectionError(
    "notAnExecutor",
    `the server does not speak the exec-server protocol: it sent ${what}`,
  );
}
