import { dirname } from "node:path/posix";
import { invalidParams } from "../../protocol/errors.ts";
import type { SandboxContext } from "../../protocol/sandbox.ts";
import { enforceBounds } from "../bounds.ts";
import { type Disk, rememberingDisk } from "../disk.ts";
import {
  accessTo,
  type BoundFiles,
  type BoundIntent,
  type BoundNetwork,
  type DeniedGlob,
  type Grant,
  takesPrecedence,
} from "../grants.ts";
import { compareDepth } from "../native_path.ts";
import type { SandboxIntent } from "../requires_sandbox.ts";
import { deniedGlobs } from "./denied_glob.ts";
import {
  bindEntries,
  type BindingFacts,
  type BoundPath,
  type IntentPaths,
  intentPaths,
} from "./entries.ts";
import { GlobSyntaxError } from "./glob_syntax.ts";
import { hasProtectedName, protectedPaths } from "./protected_paths.ts";
import { type ResolvedPath, resolvePath } from "./resolve_path.ts";

/**
 * Puts a client's intent in this machine's terms.
 *
 * An intent without a sandbox grants all files; a managed network is enforced all the same, and
 * what its proxies are trusted by may be read unless an entry is about that very file.
 *
 * @throws {RpcError} -32602 if the intent names a path of another kind of machine, a workspace root
 * that does not exist, or something else that cannot be bound, and if it asks for more than is allowed
 */
export function bindIntent(intent: SandboxIntent, facts: BindingFacts, disk: Disk): BoundIntent {
  const remembering = rememberingDisk(disk);
  const paths = intentPaths(intent.sandbox, facts);
  const roots = (paths.workspaceRoots ?? []).map((path) => ({
    given: path,
    ...resolvePath(path, remembering),
  }));
  const files = bindFiles(intent.sandbox, paths, remembering);
  if (files.kind === "granted") roots.forEach(refuseUnlessDirectory);
  const bound = {
    files,
    network: bindNetwork(intent),
    workspaceRoots: roots.map(({ path }) => path),
  };
  if (intent.bounds !== undefined) enforceBounds(intent.bounds, bound);
  return bound;
}

function refuseUnlessDirectory({ given, kind }: ResolvedPath & { readonly given: string }): void {
  if (kind === "missing") throw invalidParams(`the workspace root '${given}' does not exist`);
  if (kind === "directory") return;
  throw invalidParams(`the workspace root '${given}' is not a directory that can be reached`);
}

function bindNetwork(
  { sandbox, managedNetwork, enforceManagedNetwork, egress }: SandboxIntent,
): BoundNetwork {
  const permissions = sandbox?.permissions;
  const ownLoopback = permissions?.type === "managed" && permissions.loopback === "private";
  if (egress !== undefined) {
    const localBinding = ownLoopback || egress.localBinding;
    return { kind: "loopback", ports: [], localBinding, egress: true };
  }
  if (managedNetwork !== undefined) {
    const { loopbackPorts, allowLocalBinding } = managedNetwork;
    return { kind: "loopback", ports: loopbackPorts, localBinding: allowLocalBinding };
  }
  const open = permissions === undefined || permissions.type === "disabled" ||
    permissions.network === "enabled";
  if (open && !enforceManagedNetwork) return { kind: "host" };
  return ownLoopback ? { kind: "none", privateLoopback: true } : { kind: "none" };
}

function bindFiles(
  sandbox: SandboxContext | undefined,
  paths: IntentPaths,
  disk: Disk,
): BoundFiles {
  const permissions = sandbox?.permissions;
  if (permissions?.type !== "managed" || permissions.file_system.type === "unrestricted") {
    return { kind: "all" };
  }
  const bound = bindEntries(sandbox, paths);
  const certificates = (paths.certificateFiles ?? [])
    .filter((path) => resolvePath(path, disk).kind === "file")
    .map((path): BoundPath => ({ path, access: "read", onlyIfUnclaimed: true }));
  const grants = grantPaths([...bound.paths, ...certificates], disk);
  const globs = bound.patterns.flatMap((pattern) => readGlob(pattern, disk));
  if (grantsEverything(grants, globs)) return { kind: "all" };
  return {
    kind: "granted",
    grants: withProtection(grants, disk),
    deniedGlobs: globs,
    globMaxDepth: permissions.file_system.glob_scan_max_depth,
  };
}

/** One grant for each path: the strictest of those that were asked for. */
function grantPaths(paths: readonly BoundPath[], disk: Disk): Grant[] {
  const claimed = mergeGrants(paths.filter((path) => !path.onlyIfUnclaimed), disk);
  const files = { kind: "granted", grants: claimed, deniedGlobs: [], globMaxDepth: 0 } as const;
  const unclaimed = mergeGrants(paths.filter((path) => path.onlyIfUnclaimed), disk)
    .filter(({ path }) =>
      accessTo(files, path) === "deny" && !claimed.some((grant) => grant.path === path)
    );
  return inOrder([...claimed, ...unclaimed]);
}

function mergeGrants(paths: readonly BoundPath[], disk: Disk): Grant[] {
  const merged = new Map<string, Grant>();
  for (const { path, access } of paths) {
    const resolved = resolvePath(path, disk);
    const other = merged.get(resolved.path);
    merged.set(resolved.path, {
      ...resolved,
      links: [...(other?.links ?? []), ...resolved.links],
      access: other !== undefined && takesPrecedence(other.access, access) ? other.access : access,
    });
  }
  return inOrder([...merged.values()]);
}

/** Whether nothing takes anything back from a grant of the whole disk. */
function grantsEverything(grants: readonly Grant[], globs: readonly DeniedGlob[]): boolean {
  return globs.length === 0 && grants[0]?.path === "/" &&
    grants.every((grant) => grant.access === "write");
}

/**
 * Adds what stays read-only below writable directories, unless an entry names that very path, and
 * the links that lead to what may not be written: whoever replaces one has written there after all.
 */
function withProtection(grants: readonly Grant[], disk: Disk): Grant[] {
  const files = { kind: "granted", grants, deniedGlobs: [], globMaxDepth: 0 } as const;
  const isWritable = (path: string) => accessTo(files, path) === "write";
  const named = new Set(grants.map((grant) => grant.path));
  // A repository or configuration that may be written by name is not a workspace of its own.
  const isWorkspace = (path: string) => !hasProtectedName(path) || !isWritable(dirname(path));
  const guarded = grants
    .filter(({ access, kind, path }) =>
      access === "write" && kind === "directory" && isWorkspace(path)
    )
    .flatMap((grant) => protectedPaths(grant.path, disk))
    .map((path): Grant => ({ ...resolvePath(path, disk), access: "read" }))
    .filter(({ path }) => !named.has(path));
  const links = [...grants.filter((grant) => grant.access !== "write"), ...guarded]
    .flatMap((grant) => grant.links)
    .map(({ path }): Grant => ({ path, access: "read", kind: "link", links: [] }));
  const added = new Map(
    [...guarded, ...links]
      // What nothing makes writable needs no protection, and must not become readable by it.
      .filter(({ path }) => isWritable(path) && !named.has(path))
      .map((grant) => [grant.path, grant]),
  );
  return inOrder([...grants, ...added.values()]);
}

function readGlob(pattern: string, disk: Disk): DeniedGlob[] {
  try {
    return deniedGlobs(pattern, disk);
  } catch (error) {
    if (!(error instanceof GlobSyntaxError)) throw error;
    throw invalidParams(`the glob pattern '${pattern}' cannot be read: ${error.message}`);
  }
}

/** Each after those above it, so that the last one that applies to a path is the most specific. */
function inOrder(grants: readonly Grant[]): Grant[] {
  return grants.toSorted((left, right) => compareDepth(left.path, right.path));
}
