import { internalError, type RpcError } from "../../protocol/errors.ts";
import { accessTo, allowsMore, type BoundFiles } from "./bound_policy.ts";
import { isWithin } from "../../os/native_path.ts";
import type { BoundPath } from "./entries.ts";
import type { ResolvedPath } from "./resolve_path.ts";

/** One entry of a policy and where its path leads now. */
export interface ResolvedEntry extends BoundPath {
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
export function withoutPlantedLinks(
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
