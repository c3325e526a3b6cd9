import { trustedDirectories } from "./project.ts";
import { isTable, readTomlFile } from "./toml_file.ts";
import { join } from "@std/path";
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
