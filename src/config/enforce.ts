import { DomainRules } from "../egress/domain_rules.ts";
import type { EgressBounds } from "../egress/policy.ts";
import { hostDisk } from "../sandbox/disk.ts";
import type { SandboxBounds } from "../sandbox/policy/bounds.ts";
import { resolvePath } from "../sandbox/policy/resolve_path.ts";
import { isLoopback, parseListenAddress } from "../transport/listen_address.ts";
import type { Configuration, Given } from "./configuration.ts";
import { commandLimitsText, LIMIT_NAMES, parseCommandLimits } from "./command_limits.ts";
import { allowsListening } from "./patterns.ts";
import { ConfigurationError, positionText } from "./origin.ts";
import { MAXIMUM, type RequirementName, type Requirements } from "./requirements.ts";
import type { SettingName } from "./settings.ts";
import { inWords } from "./value_types.ts";

/**
 * Enforces the administrator's requirements on the settings of an executor. A built-in default that
 * exceeds one is lowered; a value that was given is refused.
 *
 * @returns the effective settings
 * @throws {ConfigurationError} naming the requirement, the setting and where it was set
 */
export function enforceRequirements(
  configuration: Configuration,
  requirements: Requirements,
): Configuration {
  enforceListening(configuration, requirements);
  enforceAuthentication(configuration, requirements);
  enforceEncryption(configuration, requirements);
  const limited = enforceCommandLimits(configuration, requirements);
  const bounded = enforceMaximum(limited, requirements);
  return FIXED.reduce((settled, name) => enforceFixed(settled, requirements, name), bounded);
}

function enforceListening(configuration: Configuration, requirements: Requirements): void {
  const allowed = requirements.get("allowedListen");
  const address = parseListenAddress(configuration.get("listen"));
  if (allowed === undefined || allowed.some((pattern) => allowsListening(pattern, address))) return;
  const which = allowed.length === 0 ? "nothing" : inWords(allowed, "and");
  throw violated(requirements, "allowedListen", `allows ${which}`, configuration, "listen");
}

function enforceAuthentication(configuration: Configuration, requirements: Requirements): void {
  const demanded = requirements.get("requireAuthentication");
  const { kind } = parseListenAddress(configuration.get("listen"));
  if (demanded === undefined || kind === "stdio") return;
  if (configuration.get("wsAuth") !== "none") return;
  const name = "requireAuthentication";
  if (demanded === "always") {
    throw violated(requirements, name, "is always", configuration, "wsAuth", "give --ws-auth");
  }
  // Without --insecure-no-auth the address is refused anyway.
  if (!isRemote(configuration) || !configuration.get("insecureNoAuth")) return;
  throw violated(requirements, name, "is remote", configuration, "insecureNoAuth", "use --ws-auth");
}

function enforceEncryption(configuration: Configuration, requirements: Requirements): void {
  if (requirements.get("requireTls") !== true || !isRemote(configuration)) return;
  if (configuration.get("tlsCert") !== undefined) return;
  throw violated(
    requirements,
    "requireTls",
    "requires encryption",
    configuration,
    "listen",
    "give --tls-cert and --tls-key",
  );
}

/** Whether other machines can connect. */
function isRemote(configuration: Configuration): boolean {
  const address = parseListenAddress(configuration.get("listen"));
  return address.kind === "websocket" && !isLoopback(address.hostname);
}

function enforceMaximum(configuration: Configuration, requirements: Requirements): Configuration {
  const lowered = new Map<SettingName, Given>();
  const bounds = new Map(requirements.maximum);
  const { sessionRetention } = Object.fromEntries(bounds);
  // Clients do not get longer than the settings may give them.
  if (sessionRetention !== undefined && !bounds.has("maxSessionRetention")) {
    bounds.set("maxSessionRetention", sessionRetention);
  }
  for (const [name, { most, position }] of bounds) {
    const value = configuration.get(name);
    if (typeof value !== "number" || value <= most) continue;
    if (configuration.isGiven(name)) {
      throw new ConfigurationError(
        `${positionText(position)}: ${MAXIMUM} allows ${most}, but ${configuration.tell(name)}`,
      );
    }
    lowered.set(name, { value: most, origin: { layer: "requirements", ...position } });
  }
  return configuration.withDefaults(lowered);
}

function enforceCommandLimits(
  configuration: Configuration,
  requirements: Requirements,
): Configuration {
  const demanded = requirements.get("commandLimits");
  const position = requirements.position("commandLimits");
  if (demanded === undefined || position === undefined) return configuration;
  const most = parseCommandLimits(demanded) ?? {};
  const set = parseCommandLimits(configuration.get("commandLimits") ?? "") ?? {};
  const more = LIMIT_NAMES.some((name) => (set[name] ?? 0) > (most[name] ?? Infinity));
  if (more) {
    throw violated(
      requirements,
      "commandLimits",
      `allows ${demanded}`,
      configuration,
      "commandLimits",
    );
  }
  const value = commandLimitsText({ ...most, ...set });
  const { layer } = configuration.origin("commandLimits");
  const origin = layer === "built in"
    ? { layer: "requirements", ...position } as const
    : configuration.origin("commandLimits");
  return configuration.withOverrides(new Map([["commandLimits", { value, origin }]]));
}

/** The settings that a requirement of the same name decides. */
const FIXED = ["sandboxMechanism", "auditLog", "forbidPortForwarding"] as const;

function enforceFixed(
  configuration: Configuration,
  requirements: Requirements,
  name: typeof FIXED[number],
): Configuration {
  const demanded = requirements.get(name);
  const position = requirements.position(name);
  if (demanded === undefined || position === undefined) return configuration;
  if (configuration.get(name) === demanded) return configuration;
  if (configuration.isGiven(name)) {
    throw violated(requirements, name, `is ${demanded}`, configuration, name);
  }
  const origin = { layer: "requirements", ...position } as const;
  return configuration.withDefaults(new Map([[name, { value: demanded, origin }]]));
}

function violated(
  requirements: Requirements,
  requirement: RequirementName,
  demand: string,
  configuration: Configuration,
  setting: SettingName,
  fix?: string,
): ConfigurationError {
  const told = `${requirements.nameOf(requirement)} ${demand}, but ${configuration.tell(setting)}`;
  return new ConfigurationError(fix === undefined ? told : `${told}; ${fix}`);
}

/**
 * The bounds that requirements set for sandboxes; undefined if there are none.
 *
 * Links in the allowed directories are resolved now, so that one which is put there later has no effect.
 */
export function sandboxBounds(requirements: Requirements): SandboxBounds | undefined {
  const roots = requirements.get("allowedWorkspaceRoots");
  const egress = egressBounds(requirements);
  const network = allowedNetwork(requirements);
  const restrictedBy = requirements.get("requireSandbox") === true
    ? "requireSandbox"
    : roots && "allowedWorkspaceRoots";
  if (restrictedBy === undefined && network === "any" && egress === undefined) return undefined;
  const writableRoots = roots?.map((root) => resolvePath(root, hostDisk).path);
  return {
    restrictedBy,
    writableRoots,
    network,
    ...egress === undefined ? {} : { egress },
  };
}

/** Whatever else is allowed: only the executor's own proxy knows names. */
function allowedNetwork(requirements: Requirements): SandboxBounds["network"] {
  const allowed = requirements.get("allowedNetwork") ?? "any";
  const byName = requirements.get("allowedDomains") ?? requirements.get("deniedDomains");
  return byName === undefined || allowed === "none" ? allowed : "proxy";
}

function egressBounds(requirements: Requirements): EgressBounds | undefined {
  const allowed = requirements.get("allowedDomains");
  const denied = requirements.get("deniedDomains");
  const upstreamProxy = requirements.get("allowUpstreamProxy") ?? true;
  if (allowed === undefined && denied === undefined && upstreamProxy) return undefined;
  return {
    allowed: allowed && new DomainRules(allowed.map((pattern) => [pattern, "allow"])),
    denied: denied && new DomainRules(denied.map((pattern) => [pattern, "deny"])),
    upstreamProxy,
  };
}
