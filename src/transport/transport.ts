import type { UnfinishedMessages } from "./unfinished_messages.ts";

/** What a transport tells of itself. */
export interface TransportObserver {
  /** One frame or line has come. */
  message(frame: string): void;
  /** Something has come that is no text, or too long to be read. */
  unreadable(reason: string): void;
  /** What was sent has gone far enough that more may follow. */
  drained(): void;
  /** The other side is gone, or {@linkcode Transport.close} was called. Told once, last. */
  closed(reason: EndReason): void;
}

/** How a client can be connected. */
export const TRANSPORT_KINDS = ["websocket", "unix", "stdio"] as const;

/** One of {@linkcode TRANSPORT_KINDS}: a WebSocket at a port or at a unix socket, or pipes. */
export type TransportKind = typeof TRANSPORT_KINDS[number];

/** A way for messages to come and go, one text each. */
export interface Transport {
  /** For counts and logs. */
  readonly kind: TransportKind;
  /** The other side's address, for logs; missing where it has none. */
  readonly peer?: string | undefined;
  /** Starts delivery. To be called once. */
  open(observer: TransportObserver): void;
  /** Queues a message. Messages of a closed transport go nowhere. */
  send(message: string): void;
  /** Whether so much is queued that a considerate sender waits for `drained`. */
  readonly saturated: boolean;
  /** Ends the connection; the reason is for people. */
  close(reason: CloseReason): void;
  /**
   * Settles when the other side has what was sent to it, the end included, or is gone, or takes
   * longer than {@linkcode FLUSH_PATIENCE_MS}. To be called once the connection has ended.
   */
  flushed(): Promise<void>;
}

/** Why this side ends a connection. */
export type CloseReason =
  | { readonly kind: "protocolError"; readonly message: string }
  | { readonly kind: "overload"; readonly message: string }
  | { readonly kind: "shutdown"; readonly message: string };

/** Why a connection is over: closed by this side, or by the other, or it broke. */
export type EndReason = CloseReason["kind"] | "closedByPeer" | "lost";

/** The close frame's code of an executor that shuts down, and its sessions with it. */
export const SHUTDOWN_CLOSE_CODE = 4503;

/** How long a program that ends waits for what it has sent, in milliseconds. */
export const FLUSH_PATIENCE_MS = 3000;

/** How much memory a connection takes. */
export interface TransportLimits {
  /** The largest message that is read, in bytes. */
  readonly maxMessageBytes: number;
  /** Bytes waiting to be sent past which the transport is saturated, at this moment. */
  readonly saturatedBytes: () => number;
  /** Who looks after messages that are not complete yet. @default nobody */
  readonly unfinished?: UnfinishedMessages;
}

/** Bytes waiting to be sent past which a transport is saturated, at the most. */
export const SATURATED_BYTES = 4 * 1024 * 1024;

/** The largest message that is read, in bytes. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** What holds where nothing else is said. */
export const DEFAULT_TRANSPORT_LIMITS: TransportLimits = {
  maxMessageBytes: MAX_MESSAGE_BYTES,
  saturatedBytes: () => SATURATED_BYTES,
};
