import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { Ready, sharedPoller } from "../../os/epoll.ts";
import { acceptConnection, listenOnLoopback, resetConnection } from "../../os/sockets.ts";
import type { NamespaceEntry } from "../linux/abilities.ts";
import { RelayedConnection } from "./relayed_connection.ts";
import { openSocketsInside } from "./sockets_inside.ts";

/**
 * Connections that a command may have at once; further ones wait until one of them is over. Each
 * takes two descriptors, which other commands need too.
 */
const MAX_CONNECTIONS = 1024;
/** Taken at once, before others have their turn. */
const MAX_ACCEPTED = 16;
/** How long to wait for a descriptor when there is none left. */
const RETRY_MS = 50;
/** How long what a command has written may take to be read after its end. */
const FINISH_MS = 10_000;

/** A socket inside of a sandbox, and the port that it stands for. */
interface Listener {
  readonly socket: Descriptor;
  readonly port: number;
}

/**
 * Joins ports of a sandbox's 127.0.0.1 with the same ports of this machine's, and nothing else.
 *
 * A sandbox has a network of its own with nothing in it. The sockets that listen there are this
 * program's: no process of the sandbox has them, and nothing of this program runs inside.
 */
export class PortRelay implements Disposable {
  readonly #listeners: readonly Listener[];
  readonly #connections = new Set<RelayedConnection>();
  #listening = false;
  #closed = false;
  #retry: number | undefined;

  /**
   * @param sockets TCP sockets in the sandbox's network, one for each port; they belong to the
   * relay from now on, whatever happens
   * @throws {SocketError} if one of the ports cannot be had there
   */
  constructor(sockets: readonly Descriptor[], ports: readonly number[]) {
    this.#listeners = ports.flatMap((port, index) => {
      const socket = sockets[index];
      return socket === undefined ? [] : [{ socket, port }];
    });
    try {
      for (const { socket, port } of this.#listeners) listenOnLoopback(socket, port);
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
    for (const { socket, port } of this.#listeners) {
      while (this.#accept(socket, port));
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
    for (const { socket, port } of this.#listeners) {
      sharedPoller().watch(socket, Ready.Input, () => this.#acceptSome(socket, port));
    }
  }

  #pause(): void {
    if (!this.#listening) return;
    this.#listening = false;
    for (const { socket } of this.#listeners) sharedPoller().unwatch(socket);
  }

  #acceptSome(socket: Descriptor, port: number): void {
    for (let accepted = 0; accepted < MAX_ACCEPTED; accepted++) {
      if (this.#connections.size >= MAX_CONNECTIONS) return this.#pause();
      if (this.#accept(socket, port)) continue;
      if (accepted === 0) this.#pauseAWhile();
      return;
    }
  }

  #accept(socket: Descriptor, port: number): boolean {
    const inside = acceptConnection(socket);
    if (inside === undefined) return false;
    try {
      const connection = new RelayedConnection(inside, port, () => this.#over(connection));
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

  #over(connection: RelayedConnection): void {
    this.#connections.delete(connection);
    if (this.#closed) {
      if (this.#connections.size === 0) clearTimeout(this.#retry);
    } else if (this.#connections.size === MAX_CONNECTIONS - 1) this.#listen();
  }
}

/**
 * Joins ports of the 127.0.0.1 that a process sees with this machine's.
 *
 * @throws {NamespaceError} when there is no way into the process's network
 * @throws {SocketError} when a port cannot be had there, or there are no descriptors left
 */
export async function openRelay(
  pid: number,
  ports: readonly number[],
  entry: NamespaceEntry,
): Promise<PortRelay> {
  return new PortRelay(await openSocketsInside(pid, ports.length, entry), ports);
}
