import type { Descriptor } from "../../native/descriptor.ts";
import { DescriptorStream } from "../../native/descriptor_stream.ts";
import { EGRESS_PORT } from "../grants.ts";
import type { Egress } from "../requires_sandbox.ts";
import { PortRelay, type ServedConnection, type ServedPort } from "./port_relay.ts";
import type { PortAccess } from "./prepare_bubblewrap.ts";
import { RelayedConnection } from "./relayed_connection.ts";
import { openSocketsInside } from "./sockets_inside.ts";

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
