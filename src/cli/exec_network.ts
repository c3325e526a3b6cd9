import type * as z from "zod/mini";
import type { Completion } from "../client/mod.ts";
import type { networkProxy } from "../protocol/network_proxy.ts";
import { UsageError } from "./usage_error.ts";

/** What a command may reach by name. */
export interface NetworkRules {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** Undefined if nothing is said of it. */
export function networkRules(
  allow: readonly string[],
  deny: readonly string[],
): NetworkRules | undefined {
  return allow.length === 0 && deny.length === 0 ? undefined : { allow, deny };
}

/**
 * The proxy to ask the executor for.
 *
 * @throws {UsageError} naming the pattern that cannot be understood
 */
export async function proxyRequest(
  { allow, deny }: NetworkRules,
): Promise<z.input<typeof networkProxy>> {
  await refuseMisspelt("--allow-domain", allow);
  await refuseMisspelt("--deny-domain", deny);
  const both = allow.find((pattern) => deny.includes(pattern));
  if (both !== undefined) throw new UsageError(`\`${both}\` is both allowed and denied`);
  const domains = [
    ...allow.map((pattern) => [pattern, "allow"] as const),
    ...deny.map((pattern) => [pattern, "deny"] as const),
  ];
  return {
    proxy: {
      enabled: true,
      enableSocks5: true,
      enableSocks5Udp: false,
      allowUpstreamProxy: true,
      dangerouslyAllowAllUnixSockets: false,
      mode: "full",
      domains: Object.fromEntries(domains),
      // A loopback of the command's own is the sandbox's to give, where there is one.
      allowLocalBinding: false,
    },
  };
}

async function refuseMisspelt(option: string, patterns: readonly string[]): Promise<void> {
  const { DomainPatternError, DomainRules } = await import("../egress/domain_rules.ts");
  try {
    new DomainRules(patterns.map((pattern) => [pattern, "allow"]));
  } catch (error) {
    if (error instanceof DomainPatternError) throw new UsageError(`${option}: ${error.message}`);
    throw error;
  }
}

/** What a command reached and was denied, in lines for people. */
export function describeNetwork({ network }: Completion): string[] {
  const { reached = [], denied = [] } = network ?? {};
  return [
    ...reached.map((host) => `reached ${host}`),
    ...denied.map((host) => `refused ${host}`),
    ...reached.length + denied.length === 0 ? ["reached nothing by name"] : [],
  ];
}
