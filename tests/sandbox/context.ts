import { type SandboxContext, sandboxContext } from "../../src/protocol/sandbox.ts";

/** An entry of a client's filesystem permissions, as it goes on the wire. */
export interface WireEntry {
  readonly path: unknown;
  readonly access: string;
  readonly missing_path_behavior?: string;
}

/** The parts of a sandbox context that tests vary. */
export interface ContextOptions {
  readonly entries?: readonly WireEntry[];
  /** Instead of entries. */
  readonly permissions?: unknown;
  readonly network?: "restricted" | "enabled";
  readonly cwd?: string | undefined;
  readonly workspaceRoots?: readonly string[] | undefined;
  readonly globScanMaxDepth?: number;
  readonly useLegacyLandlock?: boolean;
}

/** A context in the form in which a client sends it, parsed. Paths are native ones. */
export function context(options: ContextOptions): SandboxContext {
  return sandboxContext.parse(contextMessage(options));
}

/** A context as a client sends it. Paths are native ones. */
export function contextMessage(options: ContextOptions): Record<string, unknown> {
  const { entries, network, cwd, workspaceRoots } = options;
  return {
    permissions: options.permissions ?? {
      type: "managed",
      network: network ?? "restricted",
      file_system: {
        type: "restricted",
        entries: entries ?? [],
        glob_scan_max_depth: options.globScanMaxDepth,
      },
    },
    cwd: cwd && uri(cwd),
    workspaceRoots: workspaceRoots?.map(uri),
    useLegacyLandlock: options.useLegacyLandlock,
  };
}

/** An entry for a special path. */
export function special(kind: string, access: string, subpath?: string): WireEntry {
  return { path: { type: "special", value: { kind, subpath } }, access };
}

/** An entry for a native path, or for a URI. */
export function path(path: string, access: string): WireEntry {
  return { path: { type: "path", path: uri(path) }, access };
}

/** An entry that denies what matches a pattern. */
export function glob(pattern: string): WireEntry {
  return { path: { type: "glob_pattern", pattern }, access: "deny" };
}

/** Reads everything, writes the workspace. */
export const workspaceWrite = [special("root", "read"), special("project_roots", "write")];

function uri(path: string): string {
  if (path.startsWith("file:")) return path;
  return `file://${path.split("/").map(encodeURIComponent).join("/")}`;
}
