import type { Variables } from "../http/proxy.ts";
import { invalidParams } from "../protocol/errors.ts";
import { encodeNotification } from "../protocol/envelope.ts";
import type { NetworkProxyParams, PolicyDecisionNotification } from "../protocol/network_proxy.ts";
import type { SandboxBounds } from "../sandbox/policy/bounds.ts";
import { EGRESS_PORT } from "../sandbox/policy/bound_policy.ts";
import type { Egress } from "../sandbox/policy/policy.ts";
import type { ReservedResources } from "../sandbox/policy/reserved.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { DomainPermission } from "../egress/domain_rules.ts";
import type { Denial, Target } from "../egress/policy.ts";
import type { Decisions } from "./network_questions.ts";
import type { Session } from "./session.ts";

/** What a command's proxy belongs to. */
export interface EgressOwner {
  readonly processId: string;
  readonly session: Session;
  readonly bounds?: SandboxBounds | undefined;
  readonly telemetry: Telemetry;
  /** What the executor has for itself. @default nothing */
  readonly reserved?: ReservedResources | undefined;
  /** The executor's own variables, which name the proxies that it is to use itself. */
  readonly environment: Variables;
  /** Whether the command may have a loopback that nobody else is on. */
  readonly privateLoopback: boolean;
  /** Whether commands are on this machine's loopback, sandboxed or not. @default not on Linux */
  readonly sharesLoopback?: boolean;
}

/** A proxy, and the variables by which the command finds it. */
export interface LaunchedEgress {
  readonly egress: Egress;
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Makes the proxy that a client asks for.
 *
 * @throws {RpcError} -32602 for rules that cannot be understood, and for what this executor does not
 * do: never is less enforced, nor less given, than was asked for
 */
export async function launchEgress(
  { proxy, policyDecisionTimeoutMs }: NetworkProxyParams,
  { processId, session, bounds, telemetry, reserved, environment, ...loopback }: EgressOwner,
): Promise<LaunchedEgress> {
  refuseUnsupported(proxy);
  // Loaded with the first proxy.
  const {
    connectByDescriptor,
    connectByRuntime,
    DomainPatternError,
    DomainRules,
    EgressPolicy,
    EgressProxy,
    PortEntrance,
    proxyEnvironment,
  } = await import("../egress/mod.ts");
  const rulesOf = (member: string, rules: [string, DomainPermission][]) => {
    try {
      return new DomainRules(rules);
    } catch (error) {
      if (!(error instanceof DomainPatternError)) throw error;
      throw invalidParams(`\`networkProxy.proxy.${member}\`: ${error.message}`);
    }
  };
  const reviewed = (proxy.reviewDomains ?? []).map((name): [string, "allow"] => [name, "allow"]);
  const decisions: Decisions = new Map();
  const policy = new EgressPolicy({
    rules: rulesOf("domains", Object.entries(proxy.domains ?? {})),
    reviewed: rulesOf("reviewDomains", reviewed),
    mode: proxy.mode,
    upstream: proxy.allowUpstreamProxy ? environment : undefined,
    bounds: bounds?.egress,
    ownPorts: reserved?.ports,
    ask: policyDecisionTimeoutMs === undefined
      ? undefined
      : (target) => session.questions.ask(processId, target, policyDecisionTimeoutMs, decisions),
  });
  const { privateLoopback, sharesLoopback = Deno.build.os !== "linux" } = loopback;
  const entrance = sharesLoopback ? new PortEntrance() : undefined;
  const egress = new EgressProxy({
    policy,
    connect: Deno.build.os === "linux" ? connectByDescriptor : connectByRuntime,
    entrance,
    socks: proxy.enableSocks5,
    rules: JSON.stringify([proxy, policyDecisionTimeoutMs]),
    localBinding: proxy.allowLocalBinding,
    observer: {
      decided: (target, verdict) => {
        telemetry.networkDecided(target.protocol, verdict.kind);
        if (verdict.kind === "denied") session.notify(denialNotice(processId, target, verdict));
      },
    },
  });
  const listens = proxy.allowLocalBinding || privateLoopback;
  const ownLoopback = listens && !sharesLoopback && !policy.namesLoopback;
  const { port = EGRESS_PORT, password } = entrance ?? {};
  return { egress, environment: proxyEnvironment({ port, password, ownLoopback }) };
}

/**
 * `enableSocks5Udp` is a permission that clients give unless they are told otherwise: UDP ASSOCIATE
 * is refused when a command asks for it, by SOCKS's own code for that.
 */
function refuseUnsupported(proxy: NetworkProxyParams["proxy"]): void {
  const refused = (member: string, reason: string) =>
    invalidParams(`\`networkProxy.proxy.${member}\`: ${reason}`);
  if (!proxy.enabled) throw refused("enabled", "a proxy that is not enabled cannot be started");
  if (proxy.transparentTcp) {
    throw refused("transparentTcp", "this executor does not intercept connections");
  }
  if (proxy.dangerouslyAllowAllUnixSockets) {
    throw refused("dangerouslyAllowAllUnixSockets", "this executor does not pass on unix sockets");
  }
  if (Object.values(proxy.unixSockets ?? {}).includes("allow")) {
    throw refused("unixSockets", "this executor does not pass on unix sockets");
  }
}

/** What clients of the protocol write into their records. */
function denialNotice(
  processId: string,
  { host, port, protocol, method }: Target,
  { reason, source, said }: Denial,
): string {
  const params: PolicyDecisionNotification = {
    processId,
    timestamp: new Date().toISOString(),
    scope: "domain",
    decision: "deny",
    source: source === "administrator" ? "baseline_policy" : source,
    reason: said ?? reason,
    protocol,
    host: host.name,
    port,
    ...protocol === "socks5_tcp"
      ? {}
      : { method: protocol === "https_connect" ? "CONNECT" : method },
    policyOverride: false,
  };
  return encodeNotification("network/policyDecision", params);
}
