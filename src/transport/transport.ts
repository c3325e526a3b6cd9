import type { UnfinishedMessages } from "./unfinished_messages.ts";

/** Gets the events of a transport, with messages as texts or as another kind. */
export interface TransportObserver<M = string> {
  /** One message has arrived. */
  message(frame: M): void;
  /** A message has arrived that is no such message or too long. */
  unreadable(reason: string): void;
  /** So much has been sent that the transport is not saturated any more. */
  drained(): void;
  /** The connection was lost or {@linkcode Transport.close} was called. Called once, last. */
  closed(reason: EndReason): void;
}

/**
 * A message to be sent: a text, several that make one together, which is then never put together in
 * memory, or UTF-8. Each text consists of whole characters.
 */
export type OutgoingMessage = string | readonly string[] | Uint8Array;

/** The kinds of transports. */
export const TRANSPORT_KINDS = ["websocket", "unix", "stdio"] as const;

/** One of {@linkcode TRANSPORT_KINDS}: a WebSocket at a port or at a unix socket, or pipes. */
export type TransportKind = typeof TRANSPORT_KINDS[number];

/** A connection that carries messages in both directions. */
export interface Transport {
  /** For counts and logs. */
  readonly kind: TransportKind;
  /** The other side's address, for logs; missing where it has none. */
  readonly peer?: string | undefined;
  /** Whom the client's token names; missing where it names nobody. */
  readonly subject?: string | undefined;
  /** Starts to read messages. Called once. */
  open(observer: TransportObserver): void;
  /** Queues a message, unless the transport is closed. */
  send(message: string): void;
  /** Whether so much is unsent that the sender should wait for `drained`. */
  readonly saturated: boolean;
  /** Closes the connection with a reason. */
  close(reason: CloseReason): void;
  /**
   * Settles when the peer has received everything, the end included, when it is gone, or after
   * {@linkcode FLUSH_PATIENCE_MS}. Called once the connection has ended.
   */
  flushed(): Promise<void>;
}

/** Why this side closes a connection. */
export type CloseReason =
  | { readonly kind: "protocolError"; readonly message: string }
  | { readonly kind: "overload"; readonly message: string }
  | { readonly kind: "shutdown"; readonly message: string };

/** Why a connection has ended: closed by this side or by the peer, or lost. */
export type EndReason = CloseReason["kind"] | "closedByPeer" | "lost";

/** The close code of an executor that shuts down with all its sessions. */
export const SHUTDOWN_CLOSE_CODE = 4503;

/** How long a program that ends waits until its messages have been sent, in milliseconds. */
export const FLUSH_PATIENCE_MS = 3000;

/** The memory limits of a connection. */
export interface TransportLimits {
  /** The largest message that is read, in bytes. */
  readonly maxMessageBytes: number;
  /** Unsent bytes past which the transport is saturated now. */
  readonly saturatedBytes: () => number;
  /** Limits the memory of incomplete messages. @default no limit */
  readonly unfinished?: UnfinishedMessages;
}

/** Unsent bytes past which a transport is saturated in any case. */
export const SATURATED_BYTES = 4 * 1024 * 1024;

/** The largest message that is read, in bytes. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** The default limits. */
export const DEFAULT_TRANSPORT_LIMITS: TransportLimits = {
  maxMessageBytes: MAX_MESSAGE_BYTES,
  saturatedBytes: () => SATURATED_BYTES,
};
