import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { Ready, sharedPoller } from "../../os/epoll.ts";
import { SocketFlow } from "../../os/socket_flow.ts";
import { beginConnecting, isConnected, resetConnection } from "../../os/sockets.ts";

/**
 * A connection that a sandboxed command has made, and one of this program's own that it is joined
 * with. Each half ends on its own; if one of the two breaks, so does the other.
 */
export class RelayedConnection {
  readonly #inside: Descriptor;
  readonly #outside: Descriptor;
  readonly #onClosed: () => void;
  #connecting = true;
  #outward: SocketFlow | undefined;
  #inward: SocketFlow | undefined;
  #insideGone = false;
  #closed = false;

  /**
   * @param inside belongs to the connection from now on
   * @param port of this machine's 127.0.0.1
   * @throws {SocketError} when there is no descriptor left; then `inside` stays open
   */
  constructor(inside: Descriptor, port: number, onClosed: () => void) {
    this.#inside = inside;
    this.#outside = beginConnecting(port);
    this.#onClosed = onClosed;
    sharedPoller().watch(this.#outside, Ready.Output, () => this.#connected());
  }

  /**
   * The command is gone, and nobody reads inside any more: what it has written is passed on, and
   * that is all.
   */
  finish(): void {
    this.#insideGone = true;
    if (!this.#connecting && this.#outward === undefined) this.#close(closeDescriptor);
  }

  /** Breaks both connections. */
  reset(): void {
    this.#close(resetConnection);
  }

  #connected(): void {
    sharedPoller().unwatch(this.#outside);
    this.#connecting = false;
    if (!isConnected(this.#outside)) return this.reset();
    const broken = () => this.reset();
    this.#outward = new SocketFlow(this.#inside, this.#outside, {
      ended: () => {
        this.#outward = undefined;
        if (this.#inward === undefined || this.#insideGone) this.#close(closeDescriptor);
      },
      broken,
    });
    this.#inward = new SocketFlow(this.#outside, this.#inside, {
      ended: () => {
        this.#inward = undefined;
        if (this.#outward === undefined) this.#close(closeDescriptor);
      },
      broken,
    });
  }

  #close(closeSocket: (socket: Descriptor) => void): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#connecting) sharedPoller().unwatch(this.#outside);
    this.#outward?.stop();
    this.#inward?.stop();
    closeSocket(this.#inside);
    closeSocket(this.#outside);
    this.#onClosed();
  }
}
