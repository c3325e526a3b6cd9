import * as z from "zod/mini";
import { defaulted, lazy, limit, optional } from "./schema_parts.ts";

/** What a rule says of the hosts that match its pattern; `none` says nothing. */
export const domainPermission = z.enum(["none", "allow", "deny"]);

/** Patterns of hosts and what is said of them. */
export const domains = lazy(() => z.record(z.string(), domainPermission));

/** How the proxy that an executor runs for one command works. */
const networkProxySettings = lazy(() =>
  z.catchall(
    z.object({
      enabled: z.boolean(),
      enableSocks5: z.boolean(),
      enableSocks5Udp: z.boolean(),
      allowUpstreamProxy: z.boolean(),
      dangerouslyAllowAllUnixSockets: z.boolean(),
      /** `limited` leaves GET, HEAD and OPTIONS on plain HTTP. */
      mode: z.enum(["limited", "full"]),
      domains: optional(domains),
      /** Patterns of hosts that the client is asked about even where a rule allows them. */
      reviewDomains: optional(z.array(z.string())),
      unixSockets: optional(z.record(z.string(), domainPermission)),
      allowLocalBinding: z.boolean(),
      /** Newer clients ask for it where it is announced, which is not the case here. */
      transparentTcp: defaulted(z.boolean(), false),
    }),
    // Never is less enforced, nor less given, than was asked for.
    z.unknown().check(z.refine(asksForNothing, "this executor does not know it")),
  )
);

function asksForNothing(value: unknown): boolean {
  return value === null || value === false || Array.isArray(value) && value.length === 0;
}

/** `networkProxy` of `process/start`: the executor runs a proxy for the command itself. */
export const networkProxy = lazy(() =>
  z.object({
    proxy: networkProxySettings,
    auditMetadata: optional(z.record(z.string(), z.unknown())),
    environmentId: optional(z.string()),
    executionId: optional(z.string()),
    /**
     * How long the client may take to decide about a host that no rule decides, in milliseconds.
     * Without it the client is not asked, and the host is denied.
     */
    policyDecisionTimeoutMs: optional(limit),
  })
);

/** How a command asked for a connection. */
const networkProtocol = z.enum(["http", "https_connect", "socks5_tcp"]);

/**
 * Parameters of `network/policyRequest`, which the executor asks the client. `requestId` is the
 * request's id once more, an addition for clients that decide by a notification.
 */
export const policyRequestParams = lazy(() =>
  z.object({
    requestId: z.string(),
    processId: z.string(),
    request: z.object({ protocol: networkProtocol, host: z.string(), port: z.int() }),
  })
);

/** What a client decides; `ask` means that somebody will be asked, and denies until then. */
const policyDecision = lazy(() =>
  z.object({
    type: z.enum(["allow", "deny", "ask"]),
    reason: optional(z.string()),
    /** For how long it holds, an addition. Default: for the command. */
    scope: optional(z.enum(["command", "session"])),
  })
);

/** A decision by its bare name means the same. */
const decision = z.union([
  policyDecision,
  z.pipe(
    z.enum(["allow", "deny", "ask"]),
    z.transform((type) => ({ type, reason: undefined, scope: undefined })),
  ),
]);

/** Answer to `network/policyRequest`. */
export const policyRequestResult = lazy(() => z.object({ decision }));

/** `network/policyDecision` of a client: the same answer by a notification, an addition. */
export const policyAnswer = lazy(() =>
  z.object({ requestId: z.string(), processId: z.string(), decision })
);

/** `network/policyDecision` of an executor: what became of a connection that was not made. */
export const policyDecisionNotification = lazy(() =>
  z.object({
    processId: z.string(),
    /** UTC, RFC 3339. */
    timestamp: z.string(),
    scope: z.string(),
    decision: z.string(),
    source: z.string(),
    reason: z.string(),
    protocol: networkProtocol,
    host: z.string(),
    port: z.int(),
    method: optional(z.string()),
    client: optional(z.string()),
    policyOverride: defaulted(z.boolean(), false),
  })
);

export type NetworkProxyParams = z.output<typeof networkProxy>;
/** A question as the executor asks it. */
export type PolicyRequest = z.input<typeof policyRequestParams>;
/** A denial as the executor tells it. */
export type PolicyDecisionNotification = z.input<typeof policyDecisionNotification>;
/** A decision of a client. */
export type PolicyDecision = z.output<typeof decision>;
