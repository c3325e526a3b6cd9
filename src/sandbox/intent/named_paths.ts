import { dirname, normalize } from "node:path/posix";
import type { SandboxIntent } from "../requires_sandbox.ts";
import { bindEntries, type BindingFacts, intentPaths } from "./entries.ts";

/**
 * The paths that are looked at to bind an intent, as they are written.
 *
 * @throws {RpcError} -32602 as binding does
 */
export function namedPaths({ sandbox }: SandboxIntent, facts: BindingFacts): string[] {
  const named = intentPaths(sandbox, facts);
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
