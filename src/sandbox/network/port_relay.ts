import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { DescriptorStream } from "../../os/descriptor_stream.ts";
import { Ready, sharedPoller } from "../../os/epoll.ts";
import {
  acceptConnection,
  beginConnecting,
  isConnected,
  listenOnLoopback,
  resetConnection,
} from "../../os/sockets.ts";
import type { NamespaceEntry } from "../linux/host.ts";
import { EGRESS_PORT } from "../policy/bound_policy.ts";
import type { Egress } from "../policy/policy.ts";
import { MAX_CONNECTIONS } from "./proxy_connections.ts";
import { openSocketsInside } from "./sockets_inside.ts";
import { SocketFlow } from "../../os/socket_flow.ts";

/** Ports of this machine's loopback that are to be there inside of the sandbox before the command. */
export interface PortAccess {
  readonly ports: readonly number[];
  /** Serves connections to {@linkcode EGRESS_PORT}, if that is to be there. */
  readonly egress: Egress | undefined;
  readonly entry: NamespaceEntry;
}

/** Taken at once, before others have their turn. */
const MAX_ACCEPTED = 16;
/** How long to wait for a descriptor when there is none left. */
const RETRY_MS = 50;
/** How long what a command has written may take to be read after its end. */
const FINISH_MS = 10_000;

/** A connection that a command has made, being served. */
export interface ServedConnection {
  /** The command is gone: what it has written is passed on, and that is all. */
  finish(): void;
  /** Breaks it off. */
  reset(): void;
}

/** Serves a port of a sandbox's 127.0.0.1. */
export interface ServedPort {
  readonly port: number;
  /**
   * Takes a connection, which belongs to it from then on.
   *
   * @throws when it cannot; the connection then stays the caller's
   */
  serve(connection: Descriptor, onClosed: () => void): ServedConnection;
}

/** A socket inside of a sandbox, and the port that it stands for. */
interface Listener {
  readonly socket: Descriptor;
  readonly served: ServedPort;
}

/**
 * Serves ports of a sandbox's 127.0.0.1, from outside.
 *
 * A sandbox has a network of its own with nothing in it. The sockets that listen there are this
 * program's: no process of the sandbox has them, and nothing of this program runs inside.
 */
export class PortRelay implements Disposable {
  readonly #listeners: readonly Listener[];
  readonly #connections = new Set<ServedConnection>();
  #listening = false;
  #closed = false;
  #retry: number | undefined;

  /**
   * @param sockets TCP sockets in the sandbox's network, one for each port; they belong to the
   * relay from now on, whatever happens
   * @throws {SocketError} if one of the ports cannot be had there
   */
  constructor(sockets: readonly Descriptor[], ports: readonly ServedPort[]) {
    this.#listeners = ports.flatMap((served, index) => {
      const socket = sockets[index];
      return socket === undefined ? [] : [{ socket, served }];
    });
    try {
      for (const { socket, served } of this.#listeners) listenOnLoopback(socket, served.port);
    } catch (error) {
      sockets.forEach(closeDescriptor);
      throw error;
    }
    this.#listen();
  }

  /** To be called when the sandbox has ended: what its processes have written is still passed on. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#pause();
    for (const { socket, served } of this.#listeners) {
      while (this.#accept(socket, served));
      closeDescriptor(socket);
    }
    for (const connection of this.#connections) connection.finish();
    if (this.#connections.size === 0) return;
    this.#retry = setTimeout(() => {
      for (const connection of this.#connections) connection.reset();
    }, FINISH_MS);
  }

  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    for (const { socket, served } of this.#listeners) {
      sharedPoller().watch(socket, Ready.Input, () => this.#acceptSome(socket, served));
    }
  }

  #pause(): void {
    if (!this.#listening) return;
    this.#listening = false;
    for (const { socket } of this.#listeners) sharedPoller().unwatch(socket);
  }

  #acceptSome(socket: Descriptor, served: ServedPort): void {
    for (let accepted = 0; accepted < MAX_ACCEPTED; accepted++) {
      // Further ones wait until one of them is over.
      if (this.#connections.size >= MAX_CONNECTIONS) return this.#pause();
      if (this.#accept(socket, served)) continue;
      if (accepted === 0) this.#pauseAWhile();
      return;
    }
  }

  #accept(socket: Descriptor, served: ServedPort): boolean {
    const inside = acceptConnection(socket);
    if (inside === undefined) return false;
    try {
      const connection = served.serve(inside, () => this.#over(connection));
      this.#connections.add(connection);
      return true;
    } catch {
      resetConnection(inside);
      return false;
    }
  }

  /** One that waits but cannot be had would be told of again and again. */
  #pauseAWhile(): void {
    this.#pause();
    this.#retry = setTimeout(() => this.#listen(), RETRY_MS);
  }

  #over(connection: ServedConnection): void {
    this.#connections.delete(connection);
    if (this.#closed) {
      if (this.#connections.size === 0) clearTimeout(this.#retry);
    } else if (this.#connections.size === MAX_CONNECTIONS - 1) this.#listen();
  }
}

/**
 * Joins ports of the 127.0.0.1 that a process sees with this machine's, and one with the executor's
 * proxy.
 *
 * @throws {NamespaceError} when there is no way into the process's network
 * @throws {SocketError} when a port cannot be had there, or there are no descriptors left
 */
export async function openRelay(
  pid: number,
  { ports, egress, entry }: PortAccess,
): Promise<PortRelay> {
  const served: ServedPort[] = ports.map((port) => ({
    port,
    serve: (inside, onClosed) => new RelayedConnection(inside, port, onClosed),
  }));
  if (egress !== undefined) {
    served.push({
      port: EGRESS_PORT,
      serve: (inside, onClosed) => serveByProxy(inside, egress, onClosed),
    });
  }
  return new PortRelay(await openSocketsInside(pid, served.length, entry), served);
}

/** When the command is gone so is its end of the connection, which the proxy sees. */
function serveByProxy(
  inside: Descriptor,
  egress: Egress,
  onClosed: () => void,
): ServedConnection {
  const stream = new DescriptorStream(inside);
  void egress.serve(stream).finally(onClosed);
  return { finish: () => {}, reset: () => stream.close() };
}

/**
 * A connection that a sandboxed command has made, and one of this program's own that it is joined
 * with. Each half ends on its own; if one of the two breaks, so does the other.
 */
class RelayedConnection {
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
