import { peerPort, withSockets } from "../os/own_sockets.ts";

const SHUT_RDWR = 2;

/**
 * Ends connections to a port that do not become WebSockets: Deno's HTTP server would wait for a
 * request, or the rest of one, for ever, and each takes a descriptor.
 *
 * Where sockets cannot be listed (Windows) it does nothing.
 */
export class HandshakeWatch implements Disposable {
  readonly #port: number;
  readonly #upgraded = new Set<Deno.NetAddr>();
  readonly #timer: number;
  /** Ports at the other side of connections that were no WebSockets when last looked at. */
  #suspects: ReadonlySet<number> = new Set();

  /**
   * @param port the one that the server listens on
   * @param patienceMs how long a connection may take; some get twice as long
   */
  constructor(port: number, patienceMs: number) {
    this.#port = port;
    this.#timer = setInterval(() => this.#look(), patienceMs);
    Deno.unrefTimer(this.#timer);
  }

  /** A connection has become a WebSocket, and is one until the socket is closed. */
  upgraded(peer: Deno.NetAddr, socket: WebSocket): void {
    this.#upgraded.add(peer);
    const forget = () => this.#upgraded.delete(peer);
    socket.addEventListener("close", forget);
    socket.addEventListener("error", forget);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Two clients on different machines can have the same port: then both are left alone. */
  #look(): void {
    const known = new Set(Array.from(this.#upgraded, ({ port }) => port));
    const suspects = new Set<number>();
    withSockets("own", { port: this.#port }, (libc, descriptor) => {
      const port = peerPort(libc, descriptor);
      if (port === undefined || known.has(port)) return;
      if (this.#suspects.has(port)) libc.shutdown(descriptor, SHUT_RDWR);
      else suspects.add(port);
    });
    this.#suspects = suspects;
  }
}
