import type { OutgoingMessage, Transport, TransportObserver } from "./transport.ts";

/** Why a connection ended or could not be made. */
export type ConnectionErrorCode =
  /** Nothing answers: connection refused, no such host, no route, no such program. */
  | "unreachable"
  /** No answer within the time allowed. */
  | "timeout"
  /** The executor requires a token, or another one. */
  | "unauthorized"
  /** The server does not speak the protocol. */
  | "notAnExecutor"
  /** The connection was lost; requests under way may or may not have been carried out. */
  | "lost"
  /** The executor no longer knows the session: it was restarted, or the outage was too long. */
  | "sessionExpired"
  /** The session that was to be resumed is attached to another connection. */
  | "sessionAttached"
  /** Another client has taken over the session. */
  | "sessionTakenOver"
  /** The connection did not come back in time. */
  | "recoveryTimedOut"
  /** This side has closed the connection. */
  | "closed";

/**
 * An obstacle that the user can remove. `token`: the executor requires a token (401). `tls`: its
 * certificate is not trusted, or it does not encrypt. `notHttp`: its answer is not HTTP, perhaps because
 * it is encrypted.
 */
export type ConnectionObstacle = "token" | "tls" | "notHttp";

/** Why there is no connection to an executor. */
export class ConnectionError extends Error {
  /** The name of the class, as for every error. */
  override readonly name = "ConnectionError";
  /** The reason; the message describes it. */
  readonly code: ConnectionErrorCode;
  /** The obstacle, if the user can remove it. */
  readonly obstacle: ConnectionObstacle | undefined;

  /** Makes an error with a code and a message. */
  constructor(
    code: ConnectionErrorCode,
    message: string,
    options: ErrorOptions & { readonly obstacle?: ConnectionObstacle | undefined } = {},
  ) {
    super(message, options);
    this.code = code;
    this.obstacle = options.obstacle;
  }
}

/** The client's end of a connection. */
export interface ClientTransport extends Transport {
  /** Why the connection has ended; undefined while it has not. */
  readonly ending: ConnectionError | undefined;
  /** The working directory that the executor announced, if it did: a path URI, not parsed yet. */
  readonly executorCwd: string | undefined;
  /**
   * Starts to read messages as they are, in place of {@linkcode Transport.open}. The bytes are valid
   * during the call only, and may not be UTF-8.
   */
  openBytes(observer: TransportObserver<Uint8Array>): void;
  /** Queues a message, unless the transport is closed. */
  send(message: OutgoingMessage): void;
  /** Stops reading, so that the executor waits. Messages under way may still arrive. */
  hold(): void;
  /** Resumes reading. */
  release(): void;
  /** Settles when everything sent before {@linkcode Transport.close} has left or was given up. */
  flushed(): Promise<void>;
}
