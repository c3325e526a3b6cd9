import type { NamespaceEntry } from "./abilities.ts";
import { PortRelay } from "./port_relay.ts";
import { openSocketsInside } from "./sockets_inside.ts";

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
