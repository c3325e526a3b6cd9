import { internalError, invalidParams } from "../protocol/errors.ts";
import type { Params, ResultInput } from "../protocol/methods.ts";
import { PathUri, PathUriError } from "../protocol/path_uri.ts";
import { type ConfigLayer, configLayers, requirementsLayers } from "./layers.ts";
import { ConfigFileError, select, type TomlPath } from "./toml_file.ts";
import { homedir, hostname } from "node:os";
import { dirname, join } from "@std/path";
import { stringify } from "smol-toml";

type Layers = ResultInput<"environmentConfig/read">["config"];

/** The administrator's directory. */
const SYSTEM_DIRECTORY = "/etc/codex";

/**
 * `environmentConfig/read`: reads the parts of the Codex CLI's configuration on this machine that a client
 * asks for, layer by layer. The client merges them.
 *
 * @param variable looks a variable of the executor's environment up
 * @param system the administrator's directory
 * @throws {RpcError} -32602 if nothing is asked for or the directory is foreign, -32603 for
 * configuration that cannot be used
 */
export async function readCodexConfig(
  { cwd, configPaths, requirementsPaths }: Params<"environmentConfig/read">,
  variable: (name: string) => string | undefined,
  system = SYSTEM_DIRECTORY,
): Promise<ResultInput<"environmentConfig/read">> {
  if (configPaths.length + requirementsPaths.length === 0) {
    throw invalidParams(
      "`configPaths` and `requirementsPaths` are both empty: nothing is asked for",
    );
  }
  const userHome = variable("HOME") ?? homedir();
  try {
    const places = { system, home: await codexHome(userHome, variable("CODEX_HOME")) };
    const config = await configLayers(cwd.toNativePath(), places);
    const requirements = await requirementsLayers(places);
    return {
      userHomeDir: uri(userHome),
      codexHomeDir: uri(places.home),
      hostname: hostname(),
      config: selected(config, configPaths),
      requirements: selected(requirements, requirementsPaths),
    };
  } catch (error) {
    if (error instanceof PathUriError) throw invalidParams(`\`cwd\`: ${error.message}`);
    if (!(error instanceof ConfigFileError)) throw error;
    throw internalError(`the configuration of Codex on this machine: ${error.message}`, error);
  }
}

async function codexHome(userHome: string, variable: string | undefined): Promise<string> {
  if (variable === undefined || variable === "") return join(userHome, ".codex");
  try {
    return await Deno.realPath(variable);
  } catch {
    throw new ConfigFileError(`CODEX_HOME is ${variable}, which cannot be found`);
  }
}

/** The requested parts of each layer. */
function selected(layers: readonly ConfigLayer[], paths: readonly TomlPath[]): Layers {
  const answered = layers
    .map((layer) => ({ layer, table: select(layer.table, paths) }))
    .filter(({ table }) => Object.keys(table).length > 0);
  const first = answered.findIndex(({ layer }) =>
    layer.kind !== "system" && layer.kind !== "requirements"
  );
  return {
    layers: answered.map(({ layer, table }) => ({
      source: sourceOf(layer),
      baseDir: uri(dirname(layer.path)),
      toml: stringify(table, { numbersAsFloat: true }),
    })),
    cloudInsertionIndex: first < 0 ? answered.length : first,
  };
}

/** The name that the Codex CLI has for a layer. */
function sourceOf({ kind, path }: ConfigLayer): string {
  if (kind === "requirements") return path;
  return `${kind === "managed" ? "legacy managed_config.toml" : kind} (${path})`;
}

function uri(path: string): string {
  return PathUri.fromNativePath(path).toString();
}
