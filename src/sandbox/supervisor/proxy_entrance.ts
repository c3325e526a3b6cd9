import { AF_INET6 } from "../../os/constants.ts";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { Open } from "../../os/open_at.ts";
import { setStatusFlags, statusFlags } from "../../os/path_calls.ts";
import {
  acceptConnection,
  comesFromLoopback,
  connectToLoopback,
  type LoopbackListener,
  openLoopbackListener,
  ownPort,
  resetConnection,
  SocketError,
} from "../../os/sockets.ts";
import { type Answer, DONE } from "./answer.ts";
import { CallError, Errno, succeeded } from "./call_error.ts";

/**
 * How long a connection on this machine may take, in milliseconds: it is there at once, unless
 * strangers knock in such numbers that it has to wait its turn.
 */
const PATIENCE_MS = 1_000;

/**
 * Joins sockets of a command with the executor's proxy.
 *
 * The socket that a command waits on has to stay the same one, so it is really connected: to a port of
 * 127.0.0.1 that is open for this one connection. Whoever else of the machine connects to it meanwhile is
 * not the one that is expected, and is turned away.
 */
export class ProxyEntrance {
  readonly #connected: (connection: Descriptor, thread: number) => void;

  /** @param connected gets the proxy's end of each connection, which belongs to it from then on */
  constructor(connected: (connection: Descriptor, thread: number) => void) {
    this.#connected = connected;
  }

  /**
   * Connects a command's socket with the proxy.
   *
   * @param family the one of the address that the command gave
   * @param thread the one that connects
   * @throws {CallError}
   */
  enter(socket: Descriptor, family: number, thread: number): Answer {
    const listener = open();
    try {
      const flags = succeeded(statusFlags(socket));
      setStatusFlags(socket, flags | Open.NonBlocking);
      try {
        const result = connectToLoopback(socket, listener.port, family === AF_INET6);
        if (result !== 0 && result !== -Errno.EINPROGRESS) throw new CallError(-result);
        this.#connected(accept(listener, ownPort(socket)), thread);
        return DONE;
      } finally {
        setStatusFlags(socket, flags);
      }
    } catch (error) {
      if (error instanceof SocketError) throw new CallError(Errno.ECONNREFUSED);
      throw error;
    } finally {
      closeDescriptor(listener.socket);
    }
  }
}

function open(): LoopbackListener {
  try {
    return openLoopbackListener(PATIENCE_MS);
  } catch (error) {
    if (error instanceof SocketError) throw new CallError(Errno.ENOBUFS);
    throw error;
  }
}

/** No other socket of 127.0.0.1 has the port that the command's has. @throws {CallError} */
function accept({ socket }: LoopbackListener, port: number): Descriptor {
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    const connection = acceptConnection(socket);
    if (connection === undefined) break;
    if (comesFromLoopback(connection, port)) return connection;
    resetConnection(connection);
  }
  throw new CallError(Errno.ECONNREFUSED);
}
