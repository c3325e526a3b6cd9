import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { duplicate } from "../../os/pipes.ts";
import { Ready, sharedPoller } from "../../os/epoll.ts";
import { endSending, receive, send } from "../../os/sockets.ts";

/** Bytes taken at once: the buffer is shared by all flows. */
const READ_BYTES = 128 * 1024;
const buffer = new Uint8Array(READ_BYTES);

/** What becomes of a flow; one of the two, once. */
export interface SocketFlowObserver {
  /** Everything has been passed on, and that there is no more. */
  ended(): void;
  /** One of the two connections is gone. */
  broken(): void;
}

/**
 * Passes on what one socket receives by another, as fast as that takes it: whoever sends faster
 * waits. The sockets belong to someone else, who closes them after {@linkcode stop}.
 */
export class SocketFlow {
  readonly #source: Descriptor;
  readonly #target: Descriptor;
  readonly #observer: SocketFlowObserver;
  #reading = false;
  /** A second descriptor of the target, which another flow reads, and what it has no room for yet. */
  #waiting: { readonly target: Descriptor; rest: Uint8Array<ArrayBuffer> } | undefined;

  constructor(source: Descriptor, target: Descriptor, observer: SocketFlowObserver) {
    this.#source = source;
    this.#target = target;
    this.#observer = observer;
    this.#read();
  }

  /** Nothing is told any more. */
  stop(): void {
    if (this.#reading) sharedPoller().unwatch(this.#source);
    this.#reading = false;
    if (this.#waiting === undefined) return;
    sharedPoller().unwatch(this.#waiting.target);
    closeDescriptor(this.#waiting.target);
    this.#waiting = undefined;
  }

  #read(): void {
    this.#reading = true;
    sharedPoller().watch(this.#source, Ready.Input, (ready) => this.#readable(ready));
  }

  /** Without an error a failed read was a false alarm: what there is to know is told again. */
  #readable(ready: number): void {
    const count = receive(this.#source, buffer);
    if (count > 0) return this.#passOn(buffer.subarray(0, count));
    if (count < 0 && isBroken(ready)) return this.#break();
    if (count < 0) return;
    this.stop();
    endSending(this.#target);
    this.#observer.ended();
  }

  #passOn(bytes: Uint8Array<ArrayBuffer>): void {
    const sent = Math.max(0, send(this.#target, bytes));
    if (sent < bytes.length) this.#waitForRoom(bytes.slice(sent));
  }

  #waitForRoom(rest: Uint8Array<ArrayBuffer>): void {
    this.stop();
    let target: Descriptor;
    try {
      target = duplicate(this.#target);
    } catch {
      return this.#break();
    }
    this.#waiting = { target, rest };
    sharedPoller().watch(target, Ready.Output, (ready) => this.#writable(ready));
  }

  #writable(ready: number): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const sent = send(waiting.target, waiting.rest);
    if (sent < 0 && isBroken(ready)) return this.#break();
    waiting.rest = waiting.rest.subarray(Math.max(0, sent));
    if (waiting.rest.length > 0) return;
    this.stop();
    this.#read();
  }

  #break(): void {
    this.stop();
    this.#observer.broken();
  }
}

function isBroken(ready: number): boolean {
  return (ready & (Ready.Error | Ready.HangUp)) !== 0;
}
