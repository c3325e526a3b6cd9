import { invalidParams, type RpcError } from "../../protocol/errors.ts";
import { type PathConvention, type PathUri, PathUriError } from "../../protocol/path_uri.ts";
import type { FileSystemEntry, SandboxContext } from "../../protocol/sandbox.ts";
import type { Access } from "./bound_policy.ts";
import { dirname, isAbsolute, join, normalize } from "@std/path/posix";
import type { Policy } from "./policy.ts";

/** What the symbols in a policy stand for on this machine and for this command. */
export interface BindingFacts {
  readonly convention: PathConvention;
  /** The user's home directory, for patterns that start with `~/`. */
  readonly home: string | undefined;
  /** TMPDIR in the command's environment. */
  readonly temporaryDirectory: string | undefined;
  /**
   * Files that a managed network's proxies are trusted by: see {@linkcode certificateFiles}.
   *
   * @default none
   */
  readonly certificateFiles?: readonly string[];
}

/** The policy's own native paths, as they were given. */
export interface NativePaths extends BindingFacts {
  readonly cwd: string | undefined;
  /** Undefined if the policy names neither roots nor a working directory. */
  readonly workspaceRoots: readonly string[] | undefined;
}

/** One native path that an entry is about, as it is written. */
export interface BoundPath {
  readonly path: string;
  readonly access: Access;
  /** Granted only where nothing else speaks for the path. */
  readonly onlyIfUnclaimed: boolean;
}

/** What entries say in native terms: paths, or patterns of paths. */
export interface BoundEntry {
  readonly paths: readonly BoundPath[];
  readonly patterns: readonly string[];
}

const NOTHING: BoundEntry = { paths: [], patterns: [] };

/** A pattern that begins so starts at each workspace root. */
const WORKSPACE_ROOTS_PATTERN = "codex-project-roots://";

/** @throws {RpcError} -32602 if the policy names a path of another kind of machine */
export function policyPaths(
  sandbox: SandboxContext | undefined,
  facts: BindingFacts,
): NativePaths {
  const native = (what: string, uri: PathUri) => nativePath(what, uri, facts.convention);
  const cwd = sandbox?.cwd && native("the sandbox's cwd", sandbox.cwd);
  const roots = sandbox?.workspaceRoots?.map((root) => native("a workspace root", root));
  return { ...facts, cwd, workspaceRoots: roots ?? (cwd === undefined ? undefined : [cwd]) };
}

/**
 * Binds all entries of a policy that has some.
 *
 * @throws {RpcError} -32602 for a foreign path, a subpath that leads out of its root, and a symbol
 * that stands for nothing here
 */
export function bindEntries(sandbox: SandboxContext | undefined, paths: NativePaths): BoundEntry {
  const permissions = sandbox?.permissions;
  if (permissions?.type !== "managed" || permissions.file_system.type === "unrestricted") {
    return NOTHING;
  }
  const bound = permissions.file_system.entries.map((entry) => bindEntry(entry, paths));
  return {
    paths: bound.flatMap((entry) => entry.paths),
    patterns: bound.flatMap((entry) => entry.patterns),
  };
}

function bindEntry({ path, access }: FileSystemEntry, facts: NativePaths): BoundEntry {
  switch (path.type) {
    case "path":
      return about([nativePath("a sandbox entry", path.path, facts.convention)], access);
    case "glob_pattern":
      return { paths: [], patterns: absolutePatterns(path.pattern, facts) };
    case "special":
      return bindSpecial(path.value, access, facts);
  }
}

/** @throws {RpcError} -32602 if the path is not one of this machine's */
function nativePath(subject: string, uri: PathUri, convention: PathConvention): string {
  try {
    const path = uri.toNativePath(convention);
    if (!path.includes("\0")) return path;
  } catch (error) {
    if (error instanceof PathUriError) throw invalidParams(`${subject}: ${error.message}`);
    throw error;
  }
  throw invalidParams(`${subject}: '${uri}' contains a NUL`);
}

/** Whether what a policy grants or denies depends on where its workspace roots are. */
export function speaksOfRoots(sandbox: SandboxContext | undefined): boolean {
  const permissions = sandbox?.permissions;
  return permissions?.type === "managed" && permissions.file_system.type === "restricted" &&
    permissions.file_system.entries.some(({ path }) =>
      path.type === "special" && path.value.kind === "project_roots" ||
      path.type === "glob_pattern" && path.pattern.startsWith(WORKSPACE_ROOTS_PATTERN)
    );
}

type SpecialPath = Extract<FileSystemEntry["path"], { type: "special" }>["value"];

function bindSpecial({ kind, subpath }: SpecialPath, access: Access, facts: NativePaths) {
  if (subpath !== undefined && kind !== "project_roots") {
    throw invalidParams(`the special path '${kind}' takes no subpath`);
  }
  switch (kind) {
    case "root":
      return about(["/"], access);
    case "minimal":
      return minimal(access);
    case "project_roots":
      return about(rootsOf(facts).map((root) => joinSubpath(root, subpath)), access);
    case "tmpdir":
      return about(absoluteOnly(facts.temporaryDirectory), access);
    case "slash_tmp":
      return about([SHARED_TEMPORARY_DIRECTORY], access);
    case "unknown":
      return NOTHING;
  }
}

function about(paths: readonly string[], access: Access): BoundEntry {
  return {
    paths: paths.map((path) => ({ path, access, onlyIfUnclaimed: false })),
    patterns: [],
  };
}

/** Nobody means to write to the system's files by asking for what a program needs to start. */
function minimal(access: Access): BoundEntry {
  const system = minimalPaths(Deno.build.os);
  if (access === "deny") return about(system, access);
  return {
    paths: system.map((path) => ({ path, access: "read", onlyIfUnclaimed: true })),
    patterns: [],
  };
}

function rootsOf({ workspaceRoots }: NativePaths): readonly string[] {
  if (workspaceRoots !== undefined) return workspaceRoots;
  throw invalidParams("the sandbox speaks of workspace roots, but names neither roots nor a cwd");
}

/** Every name of a subpath stays below its root, as it is written. */
function joinSubpath(root: string, subpath: string | undefined): string {
  if (subpath === undefined) return root;
  if (isAbsolute(subpath)) throw badSubpath(subpath, "is absolute");
  if (subpath.includes("\0")) throw badSubpath(subpath, "contains a NUL");
  if (subpath.split("/").includes("..")) throw badSubpath(subpath, "contains '..'");
  return join(root, subpath);
}

function badSubpath(subpath: string, problem: string): RpcError {
  return invalidParams(`the subpath '${subpath}' of a sandbox entry ${problem}`);
}

/** An environment variable can hold anything; only an absolute path says where files may be. */
function absoluteOnly(path: string | undefined): string[] {
  return path !== undefined && isAbsolute(path) ? [path] : [];
}

function absolutePatterns(pattern: string, facts: NativePaths): string[] {
  if (pattern.includes("\0")) throw invalidParams("a glob pattern contains a NUL");
  if (pattern.startsWith(WORKSPACE_ROOTS_PATTERN)) {
    const rest = pattern.slice(WORKSPACE_ROOTS_PATTERN.length);
    return rootsOf(facts).map((root) => below(root, rest));
  }
  if (isAbsolute(pattern)) return [below("/", pattern)];
  if (pattern.startsWith("~/")) {
    if (facts.home !== undefined) return [below(facts.home, pattern.slice(2))];
    throw invalidParams(`no home directory is known for the glob pattern '${pattern}'`);
  }
  if (facts.cwd !== undefined) return [below(facts.cwd, pattern)];
  throw invalidParams(`the glob pattern '${pattern}' is relative, but the sandbox has no cwd`);
}

/** The directory's own characters stand for themselves, whatever they mean in a pattern. */
function below(directory: string, pattern: string): string {
  if (pattern.split("/").includes("..")) {
    throw invalidParams(`the glob pattern '${pattern}' contains '..'`);
  }
  return `${directory.replace(/[*?[\]{}\\]/g, "\\$&")}/${pattern}`;
}

/**
 * What a program needs to start on Linux: the system's programs, libraries and configuration
 * (hier(7)), where NixOS and Guix keep theirs, and the file that names the resolvers, which is often
 * a link to somewhere else.
 *
 * Devices and processes are left out: a sandbox brings its own.
 */
const LINUX_PATHS: readonly string[] = [
  "/bin",
  "/sbin",
  "/usr",
  "/etc",
  "/etc/resolv.conf",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/nix/store",
  "/gnu/store",
  "/run/current-system/profile",
  "/run/current-system/sw",
];

/**
 * The same on macOS, where links lead from /etc and from the shell to below /private, and where
 * developers' tools and package managers have places of their own.
 */
const MACOS_PATHS: readonly string[] = [
  "/System",
  "/bin",
  "/sbin",
  "/usr",
  "/private/etc",
  "/private/var/db/dyld",
  "/private/var/db/timezone",
  "/private/var/select",
  "/Library/Apple",
  "/Library/Developer",
  "/Library/Frameworks",
  "/Library/Preferences/Logging",
  "/Applications/Xcode.app/Contents/Developer",
  "/opt/homebrew",
  "/opt/local",
  "/nix/store",
];

/** What a program needs to start on a system. */
export function minimalPaths(os: typeof Deno.build.os): readonly string[] {
  return os === "darwin" ? MACOS_PATHS : LINUX_PATHS;
}

/** Where every user may leave files. */
const SHARED_TEMPORARY_DIRECTORY = "/tmp";

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

/** Variables by which common programs are told of certificates to trust besides the system's. */
const CERTIFICATE_VARIABLES = [
  "AWS_CA_BUNDLE",
  "BUNDLE_SSL_CA_CERT",
  "CARGO_HTTP_CAINFO",
  "CODEX_CA_CERTIFICATE",
  "CURL_CA_BUNDLE",
  "DENO_CERT",
  "GIT_SSL_CAINFO",
  "NODE_EXTRA_CA_CERTS",
  "NPM_CONFIG_CAFILE",
  "PIP_CERT",
  "REQUESTS_CA_BUNDLE",
  "SSL_CERT_FILE",
  "npm_config_cafile",
];

/** The files that an environment names so; relative ones are somewhere else each time. */
export function certificateFiles(env: Readonly<Record<string, string>>): string[] {
  const files = CERTIFICATE_VARIABLES.map((name) => env[name]).filter((file) => file !== undefined);
  return [...new Set(files)].filter((file) => isAbsolute(file) && !file.includes("\0"));
}
