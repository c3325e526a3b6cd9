import { basename, dirname } from "@std/path/posix";
import { internalError, invalidParams, type RpcError } from "../../protocol/errors.ts";
import type { SandboxContext } from "../../protocol/sandbox.ts";
import { enforceBounds } from "./bounds.ts";
import type { Disk } from "../disk.ts";
import {
  accessTo,
  allowsMore,
  type BoundFiles,
  type BoundNetwork,
  type BoundPolicy,
  type DeniedGlob,
  type Grant,
  takesPrecedence,
} from "./bound_policy.ts";
import { childOf, compareDepth, isWithin } from "../../os/native_path.ts";
import type { Policy } from "./policy.ts";
import { deniedGlobs } from "./denied_glob.ts";
import {
  bindEntries,
  type BindingFacts,
  type BoundPath,
  type NativePaths,
  policyPaths,
  speaksOfRoots,
} from "./entries.ts";
import { GlobSyntaxError } from "./glob_syntax.ts";
import { GitIndexCache, hasProtectedName, protectedPaths } from "./protected_paths.ts";
import { refuseReservedPorts, withholdReserved } from "./reserved.ts";
import { type ResolvedPath, resolvePath } from "./resolve_path.ts";

/**
 * Puts a client's policy in this machine's terms.
 *
 * A policy without a sandbox grants all files; a managed network is enforced all the same, and
 * what its proxies are trusted by may be read unless an entry is about that very file.
 *
 * A workspace root that does not exist grants nothing, like an entry for a path that does not.
 *
 * @param disk all that the result depends on besides; asked several times about the same path (see
 * `RememberingDisk`)
 * @throws {RpcError} -32602 if the policy names a path of another kind of machine, a port of the
 * executor's own, or something else that cannot be bound, if it speaks of workspace roots and none of
 * them exists, and if it asks for more than is allowed; -32603 if a link that the sandbox's commands
 * may have made would add to what is granted, or what git reads cannot be told
 */
export function bindPolicy(
  policy: Policy,
  facts: BindingFacts,
  disk: Disk,
  indexes: GitIndexCache = new GitIndexCache(),
): BoundPolicy {
  const paths = policyPaths(policy.sandbox, facts);
  const roots = (paths.workspaceRoots ?? []).map((path) => ({
    given: path,
    ...resolvePath(path, disk),
  }));
  const there = roots.filter(({ kind }) => kind !== "missing");
  const present = {
    ...paths,
    workspaceRoots: paths.workspaceRoots && there.map(({ given }) => given),
  };
  const workspaceRoots = there.map(({ path }) => path);
  const { reserved } = policy;
  const asked = bindFiles(policy.sandbox, present, workspaceRoots, disk, indexes);
  const files = reserved ? withholdReserved(asked, reserved, disk) : asked;
  if (files.kind === "granted") {
    there.forEach(refuseUnlessDirectory);
    if (there.length === 0 && roots.length > 0 && speaksOfRoots(policy.sandbox)) throw gone(roots);
  }
  const bound = { files, network: bindNetwork(policy), workspaceRoots };
  if (reserved !== undefined) refuseReservedPorts(bound.network, reserved);
  if (policy.bounds !== undefined) enforceBounds(policy.bounds, bound);
  return bound;
}

function refuseUnlessDirectory({ given, kind }: ResolvedPath & { readonly given: string }): void {
  if (kind === "directory") return;
  throw invalidParams(`the workspace root '${given}' is not a directory that can be reached`);
}

function gone(roots: readonly { readonly given: string }[]): RpcError {
  const names = roots.map(({ given }) => `'${given}'`).join(", ");
  return invalidParams(
    roots.length === 1
      ? `the sandbox's workspace root ${names} does not exist, and there is no other`
      : `none of the sandbox's workspace roots exists: ${names}`,
  );
}

function bindNetwork(
  { sandbox, managedNetwork, enforceManagedNetwork, egress }: Policy,
): BoundNetwork {
  const permissions = sandbox?.permissions;
  const ownLoopback = permissions?.type === "managed" && permissions.loopback === "private";
  if (egress !== undefined) {
    const { localBinding, port } = egress;
    const own = ownLoopback ? { privateLoopback: true } : {};
    const ports = port === undefined ? [] : [port];
    return { kind: "loopback", ports, localBinding, ...own, egress: true };
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
  paths: NativePaths,
  roots: readonly string[],
  disk: Disk,
  indexes: GitIndexCache,
): BoundFiles {
  const permissions = sandbox?.permissions;
  if (permissions?.type !== "managed" || permissions.file_system.type === "unrestricted") {
    return { kind: "all" };
  }
  const { glob_scan_max_depth: globMaxDepth } = permissions.file_system;
  const bound = bindEntries(sandbox, paths);
  const certificates = (paths.certificateFiles ?? [])
    .filter((path) => resolvePath(path, disk).kind === "file")
    .map((path): BoundPath => ({ path, access: "read", onlyIfUnclaimed: true }));
  const entries = [...bound.paths, ...certificates]
    .map((entry): ResolvedEntry => ({ ...entry, leadsTo: resolvePath(entry.path, disk) }));
  const globs = bound.patterns.flatMap((pattern) => readGlob(pattern, disk));
  const places = new Set(entries.map(({ path }) => placeOf(path, disk)));
  const grant = (entries: readonly ResolvedEntry[]): BoundFiles => {
    const grants = grantPaths(entries);
    if (grantsEverything(grants, globs)) return { kind: "all" };
    return {
      kind: "granted",
      grants: withProtection(grants, globs, places, disk, indexes),
      deniedGlobs: globs,
      globMaxDepth,
    };
  };
  return grant(withoutPlantedLinks(entries, roots, grant));
}

/** Where the last name of a path is, which may be a link. */
function placeOf(path: string, disk: Disk): string {
  return childOf(resolvePath(dirname(path), disk).path, basename(path));
}

/** One grant for each path: the strictest of those that were asked for. */
function grantPaths(entries: readonly ResolvedEntry[]): Grant[] {
  const claimed = mergeGrants(entries.filter((entry) => !entry.onlyIfUnclaimed));
  const files = { kind: "granted", grants: claimed, deniedGlobs: [], globMaxDepth: 0 } as const;
  const unclaimed = mergeGrants(entries.filter((entry) => entry.onlyIfUnclaimed))
    .filter(({ path }) =>
      accessTo(files, path) === "deny" && !claimed.some((grant) => grant.path === path)
    );
  return inOrder([...claimed, ...unclaimed]);
}

function mergeGrants(entries: readonly ResolvedEntry[]): Grant[] {
  const merged = new Map<string, Grant>();
  for (const { leadsTo, access } of entries) {
    const other = merged.get(leadsTo.path);
    merged.set(leadsTo.path, {
      ...leadsTo,
      links: [...(other?.links ?? []), ...leadsTo.links],
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
 *
 * @param places the paths that entries name, with every link resolved but one at the end
 */
function withProtection(
  grants: readonly Grant[],
  globs: readonly DeniedGlob[],
  places: ReadonlySet<string>,
  disk: Disk,
  indexes: GitIndexCache,
): Grant[] {
  const isWritable = writableIn(grants);
  const named = new Set(grants.map((grant) => grant.path));
  // A repository or configuration that may be written by name is not a workspace of its own.
  const isWorkspace = (path: string) => !hasProtectedName(path) || !isWritable(dirname(path));
  const mayWrite = (place: string) =>
    places.has(place) && isWritable(resolvePath(place, disk).path);
  const guarded = grants
    .filter(({ access, kind, path }) =>
      access === "write" && kind === "directory" && isWorkspace(path)
    )
    .flatMap((grant) => protectedPaths(grant.path, mayWrite, disk, indexes))
    .filter((path) => !places.has(path))
    .map((path): Grant => ({ ...resolvePath(path, disk), access: "read", protected: true }))
    .filter(({ path }) => !named.has(path) || !isWritable(path));
  // What nothing makes writable needs no protection, and must not become readable by it.
  const added = guarded.filter(({ path }) => isWritable(path) && !named.has(path));
  const withGuarded = inOrder([...grants, ...uniquePaths(added)]);
  const isReplaceable = writableIn(withGuarded);
  const kept = [...grants.filter(({ access }) => access !== "write"), ...guarded, ...globs];
  const links = kept.flatMap((grant) => grant.links)
    .filter(({ path }) => isReplaceable(path))
    .map(({ path }): Grant => ({ path, access: "read", kind: "link", links: [] }));
  return inOrder([...withGuarded, ...uniquePaths(links)]);
}

function writableIn(grants: readonly Grant[]): (path: string) => boolean {
  const files = { kind: "granted", grants, deniedGlobs: [], globMaxDepth: 0 } as const;
  return (path) => accessTo(files, path) === "write";
}

function uniquePaths(grants: readonly Grant[]): Grant[] {
  return [...new Map(grants.map((grant) => [grant.path, grant])).values()];
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

/** One entry of a policy and where its path leads now. */
interface ResolvedEntry extends BoundPath {
  readonly leadsTo: ResolvedPath;
}

/**
 * Refuses entries to which a sandboxed command may have given another meaning.
 *
 * A command can make a link of any name below a directory that it may write. So a link there says
 * what the last command wanted, not what the client meant, and adds nothing to what is granted
 * without it. The same is true of all workspace roots: another sandbox may let write them.
 *
 * An entry that nobody asked for, as for what a program needs to start, is left out instead.
 *
 * @param roots the workspace roots, free of links
 * @param grant what some of the entries grant
 * @throws {RpcError} -32603
 */
function withoutPlantedLinks(
  entries: readonly ResolvedEntry[],
  roots: readonly string[],
  grant: (entries: readonly ResolvedEntry[]) => BoundFiles,
): ResolvedEntry[] {
  const written = entries.filter(({ access }) => access === "write")
    .map(({ leadsTo }) => leadsTo.path);
  // Where the whole disk is the workspace, it is not for the agent's commands alone.
  const trees = [...written, ...roots.filter((root) => root !== "/")];
  const plantedLink = ({ leadsTo }: ResolvedEntry) =>
    leadsTo.links.find(({ path }) => trees.some((tree) => isWithin(path, tree)));
  const steady = entries.filter((entry) => plantedLink(entry) === undefined);
  if (steady.length === entries.length) return [...entries];
  const otherwise = grant(steady);
  return entries.filter((entry) => {
    const link = plantedLink(entry);
    const { path } = entry.leadsTo;
    if (link === undefined || !allowsMore(entry.access, accessTo(otherwise, path))) {
      return true;
    }
    if (entry.onlyIfUnclaimed) return false;
    throw refusal(entry, link.path);
  });
}

function refusal({ path, leadsTo, access }: ResolvedEntry, link: string): RpcError {
  const use = access === "write" ? "written" : "read";
  return internalError(
    `the sandbox entry '${path}' leads through the link '${link}', which sandboxed commands may ` +
      `have made, to '${leadsTo.path}', which nothing else lets be ${use}: ` +
      `grant '${leadsTo.path}' by its own name, or remove the link`,
  );
}
