import { SHUT_RDWR } from "../os/constants.ts";
import { peerPort, withSockets } from "../os/own_sockets.ts";

/** In so many turns of this program's a connection could have become a WebSocket, however slow they are. */
const TURNS = 10;

/**
 * Closes connections to a port that do not become WebSockets in time. Deno's HTTP server waits for a
 * request without a limit, and each connection takes a descriptor. Does nothing on Windows, where sockets
 * cannot be listed.
 */
export class HandshakeWatch implements Disposable {
  readonly #port: number;
  readonly #upgraded = new Set<Deno.NetAddr>();
  readonly #examined = new Set<Deno.NetAddr>();
  readonly #patienceMs: number;
  #timer: number | undefined;
  /** The peers' ports of connections that were not WebSockets at the last look. */
  #suspects: ReadonlySet<number> = new Set();

  /**
   * @param port the one that the server listens on
   * @param patienceMs how long a connection may take, in milliseconds; some get twice as long, and all
   * get longer while this program is slow to answer
   */
  constructor(port: number, patienceMs: number) {
    this.#port = port;
    this.#patienceMs = patienceMs;
    this.#lookLater();
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
    clearTimeout(this.#timer);
  }

  /** Suspects have several turns, as a timer fires once in one at the most. */
  #lookLater(): void {
    const turns = this.#suspects.size > 0 ? TURNS : 1;
    const wait = (left: number) => {
      this.#timer = setTimeout(
        () => left > 1 ? wait(left - 1) : this.#look(),
        this.#patienceMs / turns,
      );
      Deno.unrefTimer(this.#timer);
    };
    wait(turns);
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
    this.#lookLater();
  }
}
