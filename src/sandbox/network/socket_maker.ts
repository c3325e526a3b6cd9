import { passDescriptor } from "../../os/socket_passing.ts";
import { openTcpSocket } from "../../os/sockets.ts";

/** What the maker of sockets finds on its descriptors, besides the standard streams. */
export const SocketMakerDescriptor = {
  /** A unix socket: what it makes goes there. */
  Sockets: 3,
  /** The namespaces that it is to be started in by nsenter(1). */
  UserNamespace: 4,
  NetworkNamespace: 5,
} as const;

/**
 * `remex sandbox-sockets COUNT`: opens TCP sockets where it is and gives them to who started it.
 *
 * A socket stays in the network namespace in which it was opened, whoever uses it.
 *
 * @throws {SocketError}
 */
export function makeSockets([count]: readonly string[]): void {
  for (let made = 0; made < Number(count); made++) {
    passDescriptor(SocketMakerDescriptor.Sockets, openTcpSocket());
  }
}
