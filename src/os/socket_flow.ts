import { closeDescriptor, type Descriptor } from "./descriptor.ts";
import { duplicate, growPipe, openPipe, type Pipe, setNonBlocking } from "./pipes.ts";
import { Ready, sharedPoller } from "./epoll.ts";
import { endSending, moveBytes, receive, send } from "./sockets.ts";

/** Bytes taken at once: the buffer is shared by all flows. */
const READ_BYTES = 128 * 1024;
/** What the pipe of a flow that carries much is to hold. */
const PIPE_BYTES = 1024 * 1024;
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
 *
 * Most flows carry little, and are copied through this program's memory. One that fills the buffer
 * gets a pipe, through which the kernel moves everything from then on without a copy.
 */
export class SocketFlow {
  readonly #source: Descriptor;
  readonly #target: Descriptor;
  readonly #observer: SocketFlowObserver;
  #reading = false;
  /** A second descriptor of the target, which another flow reads, and what it has no room for yet. */
  #waiting: { readonly target: Descriptor; rest: Uint8Array<ArrayBuffer> } | undefined;
  #pipe: Pipe | undefined;
  /** Bytes in the pipe. */
  #piped = 0;

  constructor(source: Descriptor, target: Descriptor, observer: SocketFlowObserver) {
    this.#source = source;
    this.#target = target;
    this.#observer = observer;
    this.#read();
  }

  /** Nothing is told any more. */
  stop(): void {
    this.#rest();
    if (this.#pipe === undefined) return;
    closeDescriptor(this.#pipe.readEnd);
    closeDescriptor(this.#pipe.writeEnd);
    this.#pipe = undefined;
  }

  /** Stops watching. */
  #rest(): void {
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
    const count = this.#pipe === undefined
      ? receive(this.#source, buffer)
      : moveBytes(this.#source, this.#pipe.writeEnd, PIPE_BYTES);
    if (count > 0) return this.#pipe === undefined ? this.#copied(count) : this.#moved(count);
    if (count < 0 && isBroken(ready)) return this.#break();
    if (count < 0) return;
    this.stop();
    endSending(this.#target);
    this.#observer.ended();
  }

  #copied(count: number): void {
    this.#passOn(buffer.subarray(0, count));
    const over = !this.#reading && this.#waiting === undefined;
    if (count === READ_BYTES && !over) this.#pipe = tryOpenPipe();
  }

  #moved(count: number): void {
    this.#piped += count;
    this.#emptyPipe();
    if (this.#piped > 0) this.#waitForRoom(new Uint8Array(0));
  }

  /** Returns whether the target takes any more. */
  #emptyPipe(): boolean {
    while (this.#pipe !== undefined && this.#piped > 0) {
      const moved = moveBytes(this.#pipe.readEnd, this.#target, this.#piped);
      if (moved <= 0) return false;
      this.#piped -= moved;
    }
    return true;
  }

  #passOn(bytes: Uint8Array<ArrayBuffer>): void {
    const sent = Math.max(0, send(this.#target, bytes));
    if (sent < bytes.length) this.#waitForRoom(bytes.slice(sent));
  }

  #waitForRoom(rest: Uint8Array<ArrayBuffer>): void {
    this.#rest();
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
    if (waiting.rest.length > 0) {
      const sent = send(waiting.target, waiting.rest);
      if (sent < 0 && isBroken(ready)) return this.#break();
      waiting.rest = waiting.rest.subarray(Math.max(0, sent));
      if (waiting.rest.length > 0) return;
    }
    if (!this.#emptyPipe() && isBroken(ready)) return this.#break();
    if (this.#piped > 0) return;
    this.#rest();
    this.#read();
  }

  #break(): void {
    this.stop();
    this.#observer.broken();
  }
}

/** Undefined when there are no descriptors left: copying needs none. */
function tryOpenPipe(): Pipe | undefined {
  try {
    const pipe = openPipe();
    growPipe(pipe.writeEnd, PIPE_BYTES);
    for (const end of [pipe.readEnd, pipe.writeEnd]) setNonBlocking(end);
    return pipe;
  } catch {
    return undefined;
  }
}

function isBroken(ready: number): boolean {
  return (ready & (Ready.Error | Ready.HangUp)) !== 0;
}
