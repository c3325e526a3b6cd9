import type { Transport } from "./transport.ts";

/** What became of a connection, or of the attempt to make one. */
export type ConnectionErrorCode =
  /** Nobody answers there: refused, no such host, no route, no such program. */
  | "unreachable"
  /** No answer within the time allowed. */
  | "timeout"
  /** The executor wants a token, or another one. */
  | "unauthorized"
  /** Somebody answers, but does not speak the protocol. */
  | "notAnExecutor"
  /** The connection was there and is gone; what was asked may or may not have been done. */
  | "lost"
  /** The executor does not know the session any more: it was away too long, or was restarted. */
  | "sessionExpired"
  /** The connection did not come back in time. */
  | "recoveryTimedOut"
  /** This side has closed the connection. */
  | "closed";

/**
 * What a connection failed at: the executor wants a token (401); its certificate is not accepted, or
 * it does not encrypt at all; what it says is not HTTP, as it may be encrypted.
 */
export type ConnectionObstacle = "token" | "tls" | "notHttp";

/** Why there is no connection to an executor. */
export class ConnectionError extends Error {
  /** The name of the class, as for every error. */
  override readonly name = "ConnectionError";
  /** The reason for programs; the message is for people. */
  readonly code: ConnectionErrorCode;
  /** What stood in the way, if there is something that can be done about it. */
  readonly obstacle: ConnectionObstacle | undefined;

  /** Makes the error for a reason; the message tells a person the same. */
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

/** A client's end of a connection. */
export interface ClientTransport extends Transport {
  /** Why the connection has ended; undefined while it has not. */
  readonly ending: ConnectionError | undefined;
  /** The directory that the executor said it runs in, if it did: a path URI, not looked at yet. */
  readonly executorCwd: string | undefined;
  /** Stops taking in messages, so that the executor waits. Messages under way may still come. */
  hold(): void;
  /** Takes in messages again. */
  release(): void;
  /** Settles when what was sent before {@linkcode Transport.close} has left, or has been given up. */
  flushed(): Promise<void>;
}
