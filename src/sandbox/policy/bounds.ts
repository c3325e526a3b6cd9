import { internalError, invalidParams, type RpcError } from "../../protocol/errors.ts";
import type { Disk } from "../disk.ts";
import type { EgressBounds } from "../../egress/policy.ts";
import type { BoundNetwork, BoundPolicy } from "./bound_policy.ts";
import { resolvePath } from "./resolve_path.ts";
import { isWithin } from "../../os/native_path.ts";

/** What an administrator demands of every sandbox. No client can ask for more. */
export interface SandboxBounds {
  /** The requirement by which files have to be restricted, if they have to. */
  readonly restrictedBy: string | undefined;
  /** Outside of which no sandbox lets write; absolute, with every link resolved. */
  readonly writableRoots: readonly string[] | undefined;
  /** The most of a network that a sandbox may leave. */
  readonly network: "none" | "proxy" | "managed" | "any";
  /** What is demanded of the executor's own proxy; undefined for nothing. */
  readonly egress?: EgressBounds | undefined;
}

/**
 * Refuses a policy that goes beyond what is allowed. The paths that are looked at are those that
 * will be granted, with every link on the way resolved.
 *
 * @throws {RpcError} -32602, naming the requirement
 */
export function enforceBounds(
  bounds: SandboxBounds,
  { files, network, workspaceRoots }: BoundPolicy,
): void {
  if (bounds.restrictedBy !== undefined && files.kind === "all") {
    throw forbidden(bounds.restrictedBy, "a sandbox that restricts files is required");
  }
  const used = networkUsed(network);
  if (bounds.network === "none" && used !== "none") {
    throw forbidden("allowedNetwork", "a sandbox without a network is required");
  }
  if (bounds.network === "proxy" && used !== "none" && used !== "proxy") {
    throw forbidden(
      "allowedNetwork",
      "a sandbox without a network or with this executor's own proxy is required",
    );
  }
  if (bounds.network === "managed" && used === "any") {
    throw forbidden(
      "allowedNetwork",
      "a sandbox without a network or with a managed one is required",
    );
  }
  const writable = files.kind === "all"
    ? []
    : files.grants.filter(({ access }) => access === "write");
  refuseOutside(bounds, "written", writable.map(({ path }) => path));
  refuseOutside(bounds, "a workspace root", workspaceRoots);
}

/** How much of a network that is, in the words of the requirement. */
function networkUsed(network: BoundNetwork): SandboxBounds["network"] {
  switch (network.kind) {
    case "host":
      return "any";
    case "none":
      return "none";
    case "loopback":
      return network.egress === true ? "proxy" : "managed";
  }
}

/** Refuses a working directory that lies elsewhere. @throws {RpcError} -32602 */
export function enforceDirectory(bounds: SandboxBounds, cwd: string, disk: Disk): void {
  refuseOutside(bounds, "the working directory", [resolvePath(cwd, disk).path]);
}

/** Refuses a request that has no sandbox and tells of files. @throws {RpcError} -32602 */
export function enforceNoBareFiles(bounds: SandboxBounds | undefined): void {
  if (bounds?.restrictedBy === undefined) return;
  throw forbidden(bounds.restrictedBy, "only requests that take a sandbox may tell of files");
}

/** Refuses a request that has no sandbox and connects to others. @throws {RpcError} -32603 */
export function enforceNoConnections(bounds: SandboxBounds | undefined): void {
  if (bounds === undefined || bounds.network === "any") return;
  throw internalError("this executor's administrator allows no HTTP requests (allowedNetwork)");
}

function refuseOutside(
  { writableRoots }: SandboxBounds,
  use: string,
  paths: readonly string[],
): void {
  if (writableRoots === undefined) return;
  const outside = paths.find((path) => !writableRoots.some((root) => isWithin(path, root)));
  if (outside === undefined) return;
  const where = writableRoots.length === 0
    ? "nothing"
    : `nothing outside of ${writableRoots.join(", ")}`;
  throw forbidden("allowedWorkspaceRoots", `${where} may be ${use}, and ${outside} is asked for`);
}

function forbidden(requirement: string, reason: string): RpcError {
  return invalidParams(`refused by this executor's administrator (${requirement}): ${reason}`);
}
