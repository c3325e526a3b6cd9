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
  const network = requirements.get("allowedNetwork") ?? "any";
  const restrictedBy = requirements.get("requireSandbox") === true
    ? "requireSandbox"
    : roots && "allowedWorkspaceRoots";
  if (restrictedBy === undefined && network === "any") return undefined;
  const writableRoots = roots?.map((root) => resolvePath(root, hostDisk).path);
  return { restrictedBy, writableRoots, network };
}
