import hostText from "../../../sandbox-profiles/seatbelt_network_host.sbpl" with { type: "text" };
import loopbackText from "../../../sandbox-profiles/seatbelt_network_loopback.sbpl" with {
  type: "text",
};
import bindingText from "../../../sandbox-profiles/seatbelt_local_binding.sbpl" with {
  type: "text",
};
import type { BoundNetwork } from "../grants.ts";
import type { Parameters } from "./parameters.ts";

/**
 * The rules about connections. Without any of them none can be made: the profile denies by default.
 *
 * @param unixSockets canonical paths; sockets there and below may be bound and connected to
 */
export function networkRules(
  network: BoundNetwork,
  unixSockets: readonly string[],
  parameters: Parameters,
): string[] {
  const sockets = Array.from(new Set(unixSockets)).sort()
    .flatMap((path) => unixSocketRules(path, parameters));
  switch (network.kind) {
    case "none":
      return sockets;
    case "host":
      return [hostText.trimEnd(), ...sockets];
    case "loopback":
      return [
        loopbackText.trimEnd(),
        ...network.localBinding ? [bindingText.trimEnd()] : [],
        ...Array.from(new Set(network.ports), portRule),
        ...sockets,
      ];
  }
}

/** Seatbelt knows no other address than `localhost` and `*`. */
function portRule(port: number): string {
  return `(allow network-outbound (remote ip "localhost:${port}"))`;
}

function unixSocketRules(path: string, parameters: Parameters): string[] {
  const tree = `(subpath ${parameters.term("UNIX_SOCKET", path)})`;
  return [
    `(allow network-bind (local unix-socket ${tree}))`,
    `(allow network-outbound (remote unix-socket ${tree}))`,
  ];
}
