import { log, logSeldom } from "../log/log.ts";
import { deadline } from "@std/async/deadline";
import { utf8Text } from "./utf8.ts";
import {
  type CloseReason,
  DEFAULT_TRANSPORT_LIMITS,
  type EndReason,
  FLUSH_PATIENCE_MS,
  SHUTDOWN_CLOSE_CODE,
  type Transport,
  type TransportKind,
  type TransportLimits,
  type TransportObserver,
} from "./transport.ts";

import type { Receiver } from "./unfinished_messages.ts";

/** Interval of looking at a saturated socket, which has no event for it, in milliseconds. */
const DRAIN_CHECK_MS = 1;
/** Largest reason in a close frame, in bytes (RFC 6455, section 5.5). */
const MAX_REASON_BYTES = 123;

/**
 * Deno's message for a frame of 64 MiB or more; the error has no code. It changes the level of a line in
 * the log, and nothing else. Longer messages in fragments arrive whole.
 */
const FRAME_TOO_LARGE = "Frame too large";

/** Close codes, of the range for applications (RFC 6455, section 7.4.2). */
const CLOSE_CODES: Readonly<Record<CloseReason["kind"], number>> = {
  protocolError: 4400,
  overload: 4429,
  shutdown: SHUTDOWN_CLOSE_CODE,
};

/** Who is at the other side. */
export interface Peer {
  readonly address: Deno.Addr;
  /** Whom its token names; undefined where it names nobody. */
  readonly subject: string | undefined;
}

/** Carries messages as frames of an accepted WebSocket: text, or UTF-8 in a binary frame. */
export class WebSocketTransport implements Transport {
  readonly kind: TransportKind;
  readonly peer: string | undefined;
  readonly subject: string | undefined;
  readonly #socket: WebSocket;
  readonly #cut: () => void;
  readonly #limits: TransportLimits;
  #observer: TransportObserver | undefined;
  #drainCheck: number | undefined;
  readonly #gone = Promise.withResolvers<void>();
  readonly #receiver: Receiver | undefined;
  /** How many messages have arrived. */
  #messages = 0;
  #largestMessage = 0;
  #over = false;

  /** @param cut closes the TCP connection below the WebSocket */
  constructor(
    socket: WebSocket,
    { address: peer, subject }: Peer,
    cut: () => void,
    limits: TransportLimits = DEFAULT_TRANSPORT_LIMITS,
  ) {
    this.kind = peer.transport === "tcp" ? "websocket" : "unix";
    this.peer = peerName(peer);
    this.subject = subject;
    this.#socket = socket;
    this.#cut = cut;
    this.#limits = limits;
    socket.binaryType = "arraybuffer";
    this.#receiver = peer.transport === "tcp" ? this.#asReceiver(peer) : undefined;
    if (this.#receiver !== undefined) limits.unfinished?.add(this.#receiver);
  }

  get saturated(): boolean {
    const saturated = !this.#over && this.#socket.bufferedAmount > this.#limits.saturatedBytes();
    if (saturated) this.#awaitDrain();
    return saturated;
  }

  open(observer: TransportObserver): void {
    this.#observer = observer;
    this.#socket.onmessage = ({ data }) => this.#received(data);
    this.#socket.onclose = () => {
      this.#gone.resolve();
      this.#ended("closedByPeer");
    };
    this.#socket.onerror = (event) => this.#failed(event);
  }

  send(message: string): void {
    if (!this.#over && this.#socket.readyState === WebSocket.OPEN) this.#socket.send(message);
  }

  close(reason: CloseReason): void {
    if (this.#over) return;
    this.#socket.close(CLOSE_CODES[reason.kind], shortened(reason.message));
    // A client that does not read does not answer the close frame, and the connection would stay.
    if (reason.kind === "overload") this.#cut();
    this.#ended(reason.kind);
  }

  async flushed(): Promise<void> {
    await deadline(this.#gone.promise, FLUSH_PATIENCE_MS).catch(() => {});
  }

  #received(data: unknown): void {
    if (this.#over) return;
    const size = sizeOf(data);
    this.#messages++;
    this.#largestMessage = Math.max(this.#largestMessage, size);
    const { maxMessageBytes } = this.#limits;
    if (size > maxMessageBytes) {
      this.#observer?.unreadable(`a message of ${size} bytes, the limit is ${maxMessageBytes}`);
      return;
    }
    const text = data instanceof ArrayBuffer ? utf8Text(data) : data;
    if (typeof text === "string") this.#observer?.message(text);
    else this.#observer?.unreadable("a binary frame that is not UTF-8");
  }

  /** Deno has closed the connection by now, so the client cannot be told why. */
  #failed(event: Event): void {
    const reason = event instanceof ErrorEvent ? event.message : "";
    if (reason === FRAME_TOO_LARGE) logSeldom("warn", "connection lost", { reason });
    else log("debug", "connection lost", { reason });
    this.#gone.resolve();
    this.#ended("lost");
  }

  #asReceiver(peer: Deno.NetAddr): Receiver {
    const counted = () => ({ messages: this.#messages, largestMessage: this.#largestMessage });
    return {
      peer,
      get messages() {
        return counted().messages;
      },
      get largestMessage() {
        return counted().largestMessage;
      },
      tooMuch: () =>
        this.close({
          kind: "overload",
          message: "all clients together send larger messages than memory allows (--memory-budget)",
        }),
    };
  }

  #awaitDrain(): void {
    this.#drainCheck ??= setInterval(() => {
      if (this.#over || this.#socket.bufferedAmount > this.#limits.saturatedBytes() / 2) return;
      clearInterval(this.#drainCheck);
      this.#drainCheck = undefined;
      this.#observer?.drained();
    }, DRAIN_CHECK_MS);
  }

  #ended(reason: EndReason): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#drainCheck);
    if (this.#receiver !== undefined) this.#limits.unfinished?.remove(this.#receiver);
    this.#observer?.closed(reason);
  }
}

/** A client's address for logs; clients of a unix socket have none. */
export function peerName(peer: Deno.Addr): string | undefined {
  return peer.transport === "tcp" ? `${peer.hostname}:${peer.port}` : undefined;
}

/** Size of a message in bytes; of a text its length, as counting bytes costs a pass over it. */
function sizeOf(data: unknown): number {
  if (data instanceof ArrayBuffer) return data.byteLength;
  return typeof data === "string" ? data.length : 0;
}

/** A text cut to {@linkcode MAX_REASON_BYTES} between characters. */
function shortened(text: string): string {
  const bytes = new TextEncoder().encodeInto(text, new Uint8Array(MAX_REASON_BYTES));
  return text.slice(0, bytes.read);
}
