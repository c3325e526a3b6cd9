import { DomainRules } from "../egress/domain_rules.ts";
import type { EgressBounds } from "../egress/policy.ts";
import type { SandboxBounds } from "../sandbox/bounds.ts";
import { hostDisk } from "../sandbox/disk.ts";
import { resolvePath } from "../sandbox/intent/resolve_path.ts";
import type { Requirements } from "./requirements.ts";

/**
 * What requirements demand of sandboxes, or undefined if that is nothing.
 *
 * Where the allowed directories are is found out now: whoever can put a link in the place of one
 * later gains nothing by it.
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
