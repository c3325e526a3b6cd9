import { peerPort, withSockets } from "../os/own_sockets.ts";

const SHUT_RDWR = 2;

/**
 * Closes connections to a port that do not become WebSockets in time. Deno's HTTP server waits for a
 * request without a limit, and each connection takes a descriptor. Does nothing on Windows, where sockets
 * cannot be listed.
 */
export class HandshakeWatch implements Disposable {
  readonly #port: number;
  readonly #upgraded = new Set<Deno.NetAddr>();
  readonly #examined = new Set<Deno.NetAddr>();
  readonly #timer: number;
  /** The peers' ports of connections that were not WebSockets at the last look. */
  #suspects: ReadonlySet<number> = new Set();

  /**
   * @param port the one that the server listens on
   * @param patienceMs how long a connection may take, in milliseconds; some get twice as long
   */
  constructor(port: number, patienceMs: number) {
    this.#port = port;
    this.#timer = setInterval(() => this.#look(), patienceMs);
    Deno.unrefTimer(this.#timer);
  }

  /** Notes that a connection has become a WebSocket. */
  upgraded(peer: Deno.NetAddr, socket: WebSocket): void {
    this.#upgraded.add(peer);
    const forget = () => this.#upgraded.delete(peer);
    socket.addEventListener("close", forget);
    socket.addEventListener("error", forget);
  }

  /** Spares a connection until it is found out who sent its request: that is not the peer's delay. */
  examining(peer: Deno.NetAddr): Disposable {
    this.#examined.add(peer);
    return { [Symbol.dispose]: () => this.#examined.delete(peer) };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Closes overdue connections; two with the same peer's port, of different machines, are spared. */
  #look(): void {
    const known = new Set([...this.#upgraded, ...this.#examined].map(({ port }) => port));
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
