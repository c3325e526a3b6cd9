import { bindEntries, type BindingFacts, policyPaths } from "./entries.ts";
import type { Policy } from "./policy.ts";
import { dirname, normalize } from "@std/path/posix";

/**
 * The paths that are looked at to bind a policy, as they are written.
 *
 * @throws {RpcError} -32602 as binding does
 */
export function namedPaths({ sandbox }: Policy, facts: BindingFacts): string[] {
  const named = policyPaths(sandbox, facts);
  const { paths, patterns } = bindEntries(sandbox, named);
  return [
    ...named.workspaceRoots ?? [],
    ...paths.map(({ path }) => path),
    ...patterns.map(literalDirectory),
    ...facts.certificateFiles ?? [],
  ];
}

/** The deepest directory that a pattern names without leaving anything open. */
function literalDirectory(pattern: string): string {
  return dirname(normalize(pattern.replace(/[*?[\]{}\\].*$/s, "x")));
}
