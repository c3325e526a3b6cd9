import { internalError, invalidRequest } from "../../protocol/errors.ts";
import { methods } from "../../protocol/methods.ts";
import { handler, type RequestHandler } from "../request_handler.ts";

/** Which ports clients may reach. */
export interface ForwardingRules {
  readonly allowed: boolean;
  /** Ports that the executor itself listens on. */
  readonly ownPorts: () => readonly number[];
}

/**
 * Handlers of tcp/*, which reach ports of this machine as clients do that are on it. No command can
 * make these requests: the executor refuses connections from what it has started.
 */
export function tcpHandlers(
  { allowed, ownPorts }: ForwardingRules,
): Record<string, RequestHandler> {
  return {
    "tcp/connect": handler(methods["tcp/connect"], (params, { tcp }) => {
      if (!allowed) {
        throw internalError(
          "this executor allows no port forwarding (forbidPortForwarding, allowedNetwork)",
        );
      }
      if (ownPorts().includes(params.port)) {
        throw invalidRequest(`port ${params.port} is the executor's own`);
      }
      return tcp.connect(params);
    }),
    "tcp/read": handler(methods["tcp/read"], (params, { tcp }) => tcp.read(params)),
    "tcp/write": handler(methods["tcp/write"], (params, { tcp }) => tcp.write(params)),
    "tcp/closeWrite": handler(
      methods["tcp/closeWrite"],
      (params, { tcp }) => tcp.closeWrite(params),
    ),
    "tcp/close": handler(methods["tcp/close"], (params, { tcp }) => tcp.close(params)),
  };
}
