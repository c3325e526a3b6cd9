import { delay } from "@std/async/delay";
import { RpcError } from "../protocol/errors.ts";
import type { Result } from "../protocol/methods.ts";
import { type ClientTransport, ConnectionError } from "../transport/client_transport.ts";
import type { ClientOptions } from "./client_options.ts";
import type { Connector } from "./connector.ts";
import { type ExecutorNotification, RpcConnection } from "./rpc_connection.ts";
import { isPermanent, notResumed, permanent, refusal, timedOut } from "./session_failures.ts";

/** How a link connects and reconnects. All times are in milliseconds. */
export interface LinkOptions extends
  Pick<
    ClientOptions,
    "sessionRetentionMs" | "retainOnDisk" | "resumeSessionId" | "takeOver"
  > {
  readonly connector: Connector;
  readonly clientName: string;
  readonly connectTimeoutMs: number;
  readonly recoveryTimeoutMs: number;
  readonly retryDelayMs: number;
}

/** Gets the events of a session. */
export interface LinkObserver {
  notified(notification: ExecutorNotification): void;
  /** The connection was lost; the link reconnects. */
  interrupted(reason: ConnectionError): void;
  /** Reads what was missed over a new connection, before it is used for anything else. */
  replay(connection: RpcConnection): Promise<void>;
  /** The new connection is in use. */
  restored(connection: RpcConnection): void;
  /** The session has ended. Called once, last. */
  ended(reason: ConnectionError): void;
}

type State =
  | { readonly kind: "connected"; readonly connection: RpcConnection }
  | { readonly kind: "connecting" | "recovering"; readonly over: Promise<void> }
  | { readonly kind: "ended"; readonly reason: ConnectionError };

/** How long an attempt to reconnect may take until the executor resumes the session, in ms. */
const ATTEMPT_TIMEOUT_MS = 5000;

/**
 * One session with an executor, over as many connections as it takes. Events of a connection that is
 * not in use, or no longer, are ignored.
 */
export class SessionLink {
  readonly #options: LinkOptions;
  readonly #observer: LinkObserver;
  readonly #over = new AbortController();
  readonly #opened = Promise.withResolvers<Result<"initialize">>();
  #state: State;
  #candidate: RpcConnection | undefined;
  #sessionId: string | undefined;

  constructor(options: LinkOptions, observer: LinkObserver) {
    this.#options = options;
    this.#observer = observer;
    this.#opened.promise.catch(() => {});
    this.#state = { kind: "connecting", over: this.#opened.promise.then(() => {}, () => {}) };
  }

  /**
   * Connects and asks for a session, without waiting for the answer. Called once, first.
   *
   * @param signal ends connecting
   * @throws {ConnectionError} when the executor cannot be reached
   * @throws the signal's reason
   */
  async open(signal?: AbortSignal): Promise<void> {
    const { connector, connectTimeoutMs } = this.#options;
    const seconds = connectTimeoutMs / 1000;
    const deadline = new ClearableTimeout(
      connectTimeoutMs,
      () => new ConnectionError("timeout", `${connector.name} did not answer within ${seconds} s`),
    );
    try {
      const ends = AbortSignal.any([deadline.signal, ...signal === undefined ? [] : [signal]]);
      const connection = this.#connectionOver(await connector.connect(ends));
      this.#state = { kind: "connected", connection };
      this.#askForSession(connection, deadline);
    } catch (error) {
      deadline.clear();
      const reason = signal?.aborted === true ? signal.reason : error;
      this.#end(refusal(reason));
      this.#opened.reject(reason);
      throw reason;
    }
  }

  /** Settles when the executor has given a session. @throws {ConnectionError} when it does not */
  get opened(): Promise<Result<"initialize">> {
    return this.#opened.promise;
  }

  get sessionId(): string | undefined {
    return this.#sessionId;
  }

  get state(): State["kind"] {
    return this.#state.kind;
  }

  /** The connection in use, if there is one now. */
  get connection(): RpcConnection | undefined {
    return this.#state.kind === "connected" ? this.#state.connection : undefined;
  }

  /** The connection in use, or one that still catches up: what is to be said last can be said there. */
  get latest(): RpcConnection | undefined {
    return this.connection ?? this.#candidate;
  }

  /**
   * Calls a function with the connection, at once or when there is one again.
   *
   * @throws {ConnectionError} once the session has ended
   */
  async use<T>(action: (connection: RpcConnection) => Promise<T>): Promise<T> {
    while (true) {
      const state = this.#state;
      if (state.kind === "ended") throw state.reason;
      if (state.kind === "connected") return await action(state.connection);
      await state.over;
    }
  }

  /** Ends the session. Settles when everything that was sent has left. */
  async end(reason: ConnectionError): Promise<void> {
    const { latest } = this;
    this.#end(reason);
    await latest?.close(reason);
  }

  async #askForSession(connection: RpcConnection, deadline: ClearableTimeout): Promise<void> {
    const { clientName, resumeSessionId, takeOver } = this.#options;
    const { sessionRetentionMs, retainOnDisk } = this.#options;
    const giveUp = () => connection.close(deadline.reason);
    deadline.signal.addEventListener("abort", giveUp);
    const asked = { resumeSessionId, takeOver, sessionRetentionMs, retainOnDisk };
    const answer = connection.call("initialize", { clientName, ...asked });
    connection.notify("initialized");
    try {
      const result = await answer;
      this.#sessionId = result.sessionId;
      this.#opened.resolve(result);
    } catch (error) {
      const resuming = resumeSessionId !== undefined && error instanceof RpcError;
      const reason = resuming ? notResumed(error) : refusal(error);
      this.#end(reason);
      await connection.close(reason);
      this.#opened.reject(reason);
    } finally {
      deadline.clear();
      deadline.signal.removeEventListener("abort", giveUp);
    }
  }

  #connectionOver(transport: ClientTransport): RpcConnection {
    return new RpcConnection(transport, {
      notified: (connection, notification) => {
        if (this.#isCurrent(connection)) this.#observer.notified(notification);
      },
      closed: (connection, reason) => this.#closed(connection, reason),
    });
  }

  /**
   * A connection that is still catching up counts: its notifications begin when the executor resumes
   * the session, and one process's output must not delay the others'.
   */
  #isCurrent(connection: RpcConnection): boolean {
    return connection === this.#candidate ||
      (this.#state.kind === "connected" && this.#state.connection === connection);
  }

  #closed(connection: RpcConnection, reason: ConnectionError): void {
    if (this.#state.kind !== "connected" || this.#state.connection !== connection) return;
    const sessionId = this.#sessionId;
    const gone = reason.code === "sessionExpired" || !this.#options.connector.resumable;
    if (gone || sessionId === undefined) return this.#end(reason);
    this.#state = { kind: "recovering", over: this.#recover(sessionId, reason) };
    this.#observer.interrupted(reason);
  }

  async #recover(sessionId: string, cause: ConnectionError): Promise<void> {
    const { recoveryTimeoutMs, retryDelayMs } = this.#options;
    let last: unknown = cause;
    const deadline = new ClearableTimeout(
      recoveryTimeoutMs,
      () => timedOut(recoveryTimeoutMs, last),
    );
    const signal = AbortSignal.any([deadline.signal, this.#over.signal]);
    // The observer learns of the interruption first.
    await Promise.resolve();
    while (!signal.aborted) {
      try {
        this.#install(await this.#attempt(sessionId, signal));
        break;
      } catch (error) {
        last = error;
        if (isPermanent(error)) this.#end(permanent(error));
        else await delay(retryDelayMs, { signal }).catch(() => {});
      }
    }
    deadline.clear();
    if (deadline.signal.aborted) this.#end(deadline.reason);
  }

  async #attempt(sessionId: string, signal: AbortSignal): Promise<RpcConnection> {
    const { connector, clientName } = this.#options;
    const deadline = new ClearableTimeout(
      connector.attemptTimeoutMs ?? ATTEMPT_TIMEOUT_MS,
      () => new ConnectionError("timeout", `${connector.name} did not answer`),
    );
    const attempt = AbortSignal.any([signal, deadline.signal]);
    let connection: RpcConnection | undefined;
    const giveUp = () => connection?.close(new ConnectionError("timeout", "given up"));
    attempt.addEventListener("abort", giveUp);
    try {
      connection = this.#connectionOver(await connector.connect(attempt));
      this.#candidate = connection;
      attempt.throwIfAborted();
      await connection.call("initialize", { clientName, resumeSessionId: sessionId });
      deadline.clear();
      connection.notify("initialized");
      await this.#observer.replay(connection);
      if (connection.over) throw new ConnectionError("lost", "the connection was lost again");
      return connection;
    } catch (error) {
      this.#candidate = undefined;
      connection?.close(new ConnectionError("closed", "the session was not resumed"));
      throw error;
    } finally {
      deadline.clear();
      attempt.removeEventListener("abort", giveUp);
    }
  }

  #install(connection: RpcConnection): void {
    this.#candidate = undefined;
    this.#state = { kind: "connected", connection };
    this.#observer.restored(connection);
  }

  #end(reason: ConnectionError): void {
    if (this.#state.kind === "ended") return;
    this.#state = { kind: "ended", reason };
    this.#over.abort(reason);
    this.#observer.ended(reason);
  }
}

/**
 * Aborts its signal after so many milliseconds, unless it is cleared first. `AbortSignal.timeout` gives
 * no reason of its own, and cannot be cleared.
 */
class ClearableTimeout {
  readonly #controller = new AbortController();
  readonly #reason: () => ConnectionError;
  readonly #timer: number;

  constructor(milliseconds: number, reason: () => ConnectionError) {
    this.#reason = reason;
    this.#timer = setTimeout(() => this.#controller.abort(reason()), milliseconds);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get reason(): ConnectionError {
    const { reason } = this.signal;
    return reason instanceof ConnectionError ? reason : this.#reason();
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
