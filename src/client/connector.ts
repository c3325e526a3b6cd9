import { type ExecutorCommand, startExecutor } from "../transport/client_command.ts";
import {
  connectSocket,
  type SocketAddress,
  type SocketOptions,
} from "../transport/client_connect.ts";
import type { ClientTransport } from "../transport/client_transport.ts";

export type { ExecutorCommand } from "../transport/client_command.ts";

/**
 * Where an executor is: `ws://…`, `wss://…` or `unix:PATH`, a command that starts one or leads to
 * one, or something else that makes connections.
 */
export type Endpoint = string | URL | ExecutorCommand | Connector;

/** Makes connections to one executor. */
export interface Connector {
  /** What people call the executor. */
  readonly name: string;
  /** Whether a new connection can reach the same executor again. */
  readonly resumable: boolean;
  /** How long an attempt to resume a session may take, in milliseconds. @default 5 s */
  readonly attemptTimeoutMs?: number;
  /**
   * Makes a connection.
   *
   * @throws {ConnectionError} when it does not come about, also because the signal was aborted
   */
  connect(signal: AbortSignal): Promise<ClientTransport>;
}

/** What connecting to an endpoint takes. @throws {TypeError} for text that is no endpoint */
export function connectorFor(endpoint: Endpoint, options: SocketOptions): Connector {
  if (typeof endpoint === "object" && !(endpoint instanceof URL)) {
    if ("connect" in endpoint) return endpoint;
    return {
      name: endpoint.name ?? endpoint.command[0],
      resumable: endpoint.resumable ?? false,
      connect: () => Promise.resolve().then(() => startExecutor(endpoint)),
    };
  }
  const address = socketAddress(String(endpoint));
  return {
    name: address.kind === "url" ? address.url.host : address.path,
    resumable: true,
    connect: (signal) => connectSocket(address, options, signal),
  };
}

function socketAddress(text: string): SocketAddress {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (path === "") throw new TypeError(`\`${text}\` names no path`);
    return { kind: "unix", path };
  }
  const url = URL.parse(text);
  if (url === null || !["ws:", "wss:"].includes(url.protocol) || url.hostname === "") {
    throw new TypeError(`\`${text}\` is not ws://HOST:PORT, wss://HOST or unix:PATH`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new TypeError("a URL with a user name or password is not supported; use a token");
  }
  return { kind: "url", url };
}
