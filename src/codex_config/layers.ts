import { ConfigFileError, isTable, readText, readTomlFile } from "./toml_file.ts";
import { basename, dirname, join, resolve } from "@std/path";
import type { TomlTable } from "smol-toml";

/** One file of the Codex CLI's configuration. */
export interface ConfigLayer {
  readonly kind: "system" | "user" | "project" | "managed" | "requirements";
  /** The native absolute path of the file. */
  readonly path: string;
  readonly table: TomlTable;
}

/** Where the Codex CLI keeps its configuration. Native absolute paths. */
export interface CodexPlaces {
  /** The administrator's directory. */
  readonly system: string;
  /** The user's. */
  readonly home: string;
}

/**
 * The layers of configuration for a directory in ascending rank: the administrator's, the user's, the
 * project's as far as the user trusts it, and the administrator's managed configuration.
 *
 * @param cwd a native absolute path; it need not exist
 * @throws {ConfigFileError} for a file that exists and cannot be used
 */
export async function configLayers(
  cwd: string,
  { system, home }: CodexPlaces,
): Promise<ConfigLayer[]> {
  const own = [
    ...await layer("system", join(system, "config.toml")),
    ...await layer("user", join(home, "config.toml")),
  ];
  const directories = await trustedDirectories(cwd, merged(own.map(({ table }) => table)));
  const projects: ConfigLayer[] = [];
  for (const directory of directories.map((path) => join(path, ".codex"))) {
    if (directory !== home) {
      projects.push(...await layer("project", join(directory, "config.toml")));
    }
  }
  return [...own, ...projects, ...await layer("managed", join(system, "managed_config.toml"))];
}

/** The administrator's requirements. @throws {ConfigFileError} */
export function requirementsLayers({ system }: CodexPlaces): Promise<ConfigLayer[]> {
  return layer("requirements", join(system, "requirements.toml"));
}

/** The layer of a file; empty if there is no file. */
async function layer(kind: ConfigLayer["kind"], path: string): Promise<ConfigLayer[]> {
  const table = await readTomlFile(path);
  return table === undefined ? [] : [{ kind, path, table }];
}

/** Merges tables, and the tables in them; later values replace earlier ones. */
function merged(tables: readonly TomlTable[]): TomlTable {
  const result: TomlTable = Object.create(null);
  for (const table of tables) {
    for (const [key, value] of Object.entries(table)) {
      const below = result[key];
      result[key] = below !== undefined && isTable(below) && isTable(value)
        ? merged([below, value])
        : value;
    }
  }
  return result;
}

/**
 * The directories of a project whose configuration applies, from the project's root down to a directory
 * in it: those that the user trusts.
 *
 * @param cwd a native absolute path; it need not exist
 * @param settings the merged configuration of the machine and the user
 * @throws {ConfigFileError} for settings of the wrong type
 */
async function trustedDirectories(cwd: string, settings: TomlTable): Promise<string[]> {
  const trust = trustLevels(settings);
  if (trust.size === 0) return [];
  const markers = rootMarkers(settings);
  const root = await nearestWith(cwd, markers) ?? cwd;
  const repository = await mainRepository(cwd);
  const inherited = await levelOf(root, trust) ??
    (repository === undefined ? undefined : await levelOf(repository, trust));
  const trusted: string[] = [];
  for (const directory of between(root, cwd)) {
    const level = await levelOf(directory, trust) ?? inherited;
    if (level === "trusted") trusted.push(directory);
  }
  return trusted;
}

type TrustLevel = "trusted" | "untrusted";

/** The trust levels of projects by path. */
function trustLevels({ projects = {} }: TomlTable): Map<string, TrustLevel> {
  if (!isTable(projects)) throw new ConfigFileError("`projects` must be a table");
  const levels = new Map<string, TrustLevel>();
  for (const [path, project] of Object.entries(projects)) {
    if (!isTable(project)) throw new ConfigFileError(`\`projects."${path}"\` must be a table`);
    const { trust_level: level } = project;
    if (level === undefined) continue;
    if (level !== "trusted" && level !== "untrusted") {
      const name = `\`projects."${path}".trust_level\``;
      throw new ConfigFileError(`${name} must be "trusted" or "untrusted"`);
    }
    levels.set(path, level);
  }
  return levels;
}

/** The names of entries that mark a project's root. */
function rootMarkers({ project_root_markers: markers = [".git"] }: TomlTable): string[] {
  const names = Array.isArray(markers) ? markers.filter((name) => typeof name === "string") : [];
  if (Array.isArray(markers) && names.length === markers.length) return names;
  throw new ConfigFileError("`project_root_markers` must be a list of names");
}

/** The trust level of a directory, by its given path or its real one. */
async function levelOf(
  directory: string,
  trust: ReadonlyMap<string, TrustLevel>,
): Promise<TrustLevel | undefined> {
  return trust.get(directory) ??
    trust.get(await Deno.realPath(directory).catch(() => directory));
}

/** The nearest directory, from this one upwards, with an entry of one of these names. */
async function nearestWith(path: string, names: readonly string[]): Promise<string | undefined> {
  for (let directory = path;; directory = dirname(directory)) {
    for (const name of names) {
      if (await isThere(join(directory, name))) return directory;
    }
    if (directory === dirname(directory)) return undefined;
  }
}

function isThere(path: string): Promise<boolean> {
  return Deno.stat(path).then(() => true, () => false);
}

/**
 * The repository that a directory belongs to; of a linked worktree that is the main one
 * (gitrepository-layout(5)).
 */
async function mainRepository(path: string): Promise<string | undefined> {
  const top = await nearestWith(path, [".git"]);
  if (top === undefined) return undefined;
  const text = await readText(join(top, ".git")).catch(() => undefined);
  const target = /^gitdir: (.+)$/m.exec(text ?? "")?.[1];
  if (target === undefined) return top;
  const worktree = resolve(top, target);
  const worktrees = dirname(worktree);
  if (basename(worktrees) !== "worktrees") return top;
  // Any directory can claim to belong to a repository, so the repository must confirm it.
  const named = await readText(join(worktree, "gitdir")).catch(() => undefined);
  if (named === undefined || resolve(named.trim()) !== join(top, ".git")) return top;
  return dirname(dirname(worktrees));
}

/** All directories from one to another below it. */
function between(above: string, below: string): string[] {
  const directories = [below];
  for (let path = below; path !== above && path !== dirname(path);) {
    path = dirname(path);
    directories.unshift(path);
  }
  return directories;
}
