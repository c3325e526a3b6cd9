import {
  closePayload,
  encodeFrame,
  type Frame,
  FrameDecoder,
  FrameError,
} from "./client_frames.ts";
import { type ClientTransport, ConnectionError } from "./client_transport.ts";
import type { UpgradeConsent } from "./client_connect.ts";
import type { ByteStream } from "../net/connection.ts";
import {
  type CloseReason,
  type OutgoingMessage,
  SATURATED_BYTES,
  SHUTDOWN_CLOSE_CODE,
  type TransportObserver,
} from "./transport.ts";
import { asTexts } from "./utf8.ts";
import { concat } from "@std/bytes/concat";

const READ_BYTES = 64 * 1024;
/** Checks for silence in a row: the second sends a ping, the last gives up. */
const SILENT_LOOKS = 4;
/** Normal closure (RFC 6455, section 7.4.1). */
const NORMAL_CLOSURE = 1000;
/** How long unsent messages may take to leave after a close, in milliseconds. */
const FLUSH_MS = 1000;

/**
 * The client's end of a WebSocket, over a connection that has been upgraded.
 *
 * Deno's own WebSocket leaves Nagle's algorithm on, which delays pipelined requests by a round trip. It
 * cannot stop reading, and reports neither silence nor the reason of a failure.
 */
export class ClientWebSocket implements ClientTransport {
  readonly kind = "websocket";
  readonly executorCwd: string | undefined;
  readonly #connection: ByteStream;
  readonly #decoder = new FrameDecoder();
  readonly #queue: SendQueue;
  readonly #silenceLimitMs: number;
  #early: Uint8Array | undefined;
  #observer: TransportObserver<Uint8Array> | undefined;
  #ending: ConnectionError | undefined;
  #silenceTimer: number | undefined;
  #silentLooks = 0;
  #held: PromiseWithResolvers<void> | undefined;
  #wasSaturated = false;

  /**
   * @param consent the server's answer to the upgrade
   * @param silenceLimitMs silence, in milliseconds, after which the connection counts as lost
   */
  constructor(connection: ByteStream, consent: UpgradeConsent, silenceLimitMs: number) {
    this.#connection = connection;
    this.#early = consent.early;
    this.executorCwd = consent.executorCwd;
    this.#silenceLimitMs = silenceLimitMs;
    this.#queue = new SendQueue(connection, {
      written: () => this.#written(),
      failed: (error) => this.#end(lost(error)),
    });
  }

  get ending(): ConnectionError | undefined {
    return this.#ending;
  }

  get saturated(): boolean {
    const saturated = this.#ending === undefined && this.#queue.bytes > SATURATED_BYTES;
    this.#wasSaturated ||= saturated;
    return saturated;
  }

  open(observer: TransportObserver): void {
    this.openBytes(asTexts(observer, "a message"));
  }

  openBytes(observer: TransportObserver<Uint8Array>): void {
    this.#observer = observer;
    this.#silenceTimer = setInterval(() => this.#listen(), this.#silenceLimitMs / SILENT_LOOKS);
    Deno.unrefTimer(this.#silenceTimer);
    Promise.resolve().then(() => this.#read()).catch((error) => this.#end(lost(error)));
  }

  send(message: OutgoingMessage): void {
    if (this.#ending !== undefined) return;
    this.#queue.push(encodeFrame("text", message));
  }

  hold(): void {
    this.#held ??= Promise.withResolvers();
  }

  release(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  close({ message }: CloseReason): void {
    if (this.#ending !== undefined) return;
    this.#queue.push(encodeFrame("close", closePayload(NORMAL_CLOSURE, "")));
    this.#end(new ConnectionError("closed", message));
  }

  flushed(): Promise<void> {
    return this.#queue.closed;
  }

  async #read(): Promise<void> {
    if (this.#early !== undefined) this.#received(this.#early);
    this.#early = undefined;
    const buffer = new Uint8Array(READ_BYTES);
    while (this.#ending === undefined) {
      if (this.#held !== undefined) await this.#held.promise;
      const count = await this.#connection.read(buffer);
      if (count === null) return this.#end(new ConnectionError("lost", "the connection was cut"));
      this.#silentLooks = 0;
      this.#received(buffer.subarray(0, count));
    }
  }

  #received(bytes: Uint8Array): void {
    for (const frame of this.#decoder.push(bytes)) {
      if (this.#ending !== undefined) return;
      this.#take(frame);
    }
  }

  #take(frame: Frame): void {
    switch (frame.kind) {
      case "text":
      case "binary":
        return this.#observer?.message(frame.payload);
      case "ping":
        return this.#queue.push(encodeFrame("pong", frame.payload));
      case "pong":
        return;
      case "close":
        return this.#end(closedByServer(frame.code, frame.reason));
    }
  }

  /** Checks for silence: a connection whose peer has vanished looks like an idle one. */
  #listen(): void {
    if (this.#held !== undefined) {
      // Nothing is read for now, not even pings; a pong shows the server that the client is alive.
      return this.#queue.push(encodeFrame("pong", new Uint8Array()));
    }
    this.#silentLooks++;
    if (this.#silentLooks === 2) this.#queue.push(encodeFrame("ping", new Uint8Array()));
    if (this.#silentLooks < SILENT_LOOKS) return;
    const seconds = this.#silenceLimitMs / 1000;
    this.#end(new ConnectionError("lost", `the executor was silent for ${seconds} s`));
  }

  #written(): void {
    if (!this.#wasSaturated || this.#queue.bytes > SATURATED_BYTES / 2) return;
    this.#wasSaturated = false;
    this.#observer?.drained();
  }

  #end(ending: ConnectionError): void {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    clearInterval(this.#silenceTimer);
    this.release();
    this.#queue.close(ending.code === "closed" ? FLUSH_MS : 0);
    this.#observer?.closed(ending.code === "closed" ? "closedByPeer" : "lost");
  }
}

/** The error for a failed read: a violation of the protocol, or what the connection says of its end. */
function lost(error: unknown): ConnectionError {
  if (error instanceof ConnectionError) return error;
  if (error instanceof FrameError) {
    return new ConnectionError("notAnExecutor", `the server sent ${error.message}`, {
      cause: error,
    });
  }
  const words = error instanceof Error ? error.message : String(error);
  return new ConnectionError("lost", `the connection broke: ${words}`, { cause: error });
}

function closedByServer(code: number | undefined, reason: string): ConnectionError {
  const words = reason === "" ? `code ${code ?? "none"}` : reason;
  return new ConnectionError(
    code === SHUTDOWN_CLOSE_CODE ? "sessionExpired" : "lost",
    `the executor closed the connection: ${words}`,
  );
}

/** Gets the events of a queue. */
export interface SendQueueObserver {
  /** Some of the queued bytes have been written. */
  written(): void;
  failed(error: unknown): void;
}

/** Largest number of bytes in one write. */
const WRITE_BYTES = 256 * 1024;

/** Writes to a connection in order, several small pieces at a time, and closes it at the end. */
class SendQueue {
  readonly #connection: ByteStream;
  readonly #observer: SendQueueObserver;
  readonly #closed = Promise.withResolvers<void>();
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #writing = false;
  #ending = false;

  constructor(connection: ByteStream, observer: SendQueueObserver) {
    this.#connection = connection;
    this.#observer = observer;
  }

  /** Bytes that have not been written yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Settles when the connection has been closed. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  push(bytes: Uint8Array): void {
    if (this.#ending) return;
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    if (!this.#writing) this.#write();
  }

  /** Closes the connection when everything has been written, or after so many milliseconds. */
  close(milliseconds: number): void {
    if (this.#ending) return;
    this.#ending = true;
    if (milliseconds === 0 || !this.#writing) return this.#closeNow();
    const timer = setTimeout(() => this.#closeNow(), milliseconds);
    this.closed.then(() => clearTimeout(timer));
  }

  /** Starts in the next microtask, so that pieces pushed together are written together. */
  async #write(): Promise<void> {
    this.#writing = true;
    try {
      await Promise.resolve();
      for (let batch = this.#take(); batch.length > 0; batch = this.#take()) {
        await this.#writeAll(batch);
      }
    } catch (error) {
      this.#observer.failed(error);
    }
    this.#writing = false;
    if (this.#ending) this.#closeNow();
  }

  async #writeAll(batch: Uint8Array): Promise<void> {
    for (let rest = batch; rest.length > 0;) {
      const count = await this.#connection.write(rest);
      rest = rest.subarray(count);
      this.#bytes -= count;
      this.#observer.written();
    }
  }

  /** Takes as many of the first pieces as fit into one write. */
  #take(): Uint8Array {
    const [first = new Uint8Array()] = this.#pieces;
    let count = 1;
    let length = first.length;
    for (const piece of this.#pieces.slice(1, 64)) {
      if (length + piece.length > WRITE_BYTES) break;
      length += piece.length;
      count++;
    }
    const taken = this.#pieces.splice(0, count);
    return taken.length <= 1 ? first : concat(taken);
  }

  #closeNow(): void {
    try {
      this.#connection.close();
    } catch {
      // Closed already, by an error.
    }
    this.#closed.resolve();
  }
}
