import { Configuration, type Layer } from "./configuration.ts";
import { ConfigurationError } from "./configuration_error.ts";
import { environmentLayer } from "./environment_layer.ts";
import { readFile, readSystemFile, readUserFile } from "./jsonc_file.ts";
import type { FileLayerName } from "./origin.ts";
import { hostPlaces, type Places } from "./places.ts";
import type { Requirements } from "./requirements.ts";

/** What decides about settings. */
export interface Sources {
  readonly commandLine: Layer;
  /** A file that the command line names. */
  readonly configFile?: string | undefined;
  /** @default this program's */
  readonly environment?: Readonly<Record<string, string>>;
  /** @default this machine's */
  readonly places?: Places;
}

/** What was found. */
export interface Loaded {
  readonly configuration: Configuration;
  /** Variables that look like settings and are none. */
  readonly unknownVariables: readonly string[];
}

/**
 * Puts the layers together.
 *
 * @throws {ConfigurationError} naming what is wrong and where it is
 */
export async function loadConfiguration(
  { commandLine, configFile, environment = Deno.env.toObject(), places = hostPlaces(environment) }:
    Sources,
): Promise<Loaded> {
  const { system, user } = places;
  const layers: Layer[] = [];
  const add = async (text: string | undefined, file: string, name: FileLayerName) => {
    if (text === undefined) return;
    const { fileLayer } = await import("./file_layer.ts");
    layers.push(await fileLayer(text, file, name));
  };
  await add(readSystemFile(system), system, "system file");
  if (user !== undefined) await add(readUserFile(user), user, "user file");
  if (configFile !== undefined) await add(readGivenFile(configFile), configFile, "given file");
  const { layer, unknown } = environmentLayer(environment);
  return {
    configuration: new Configuration([...layers, layer, commandLine]),
    unknownVariables: unknown,
  };
}

/** What an executor goes by. */
export interface LoadedForExecutor extends Loaded {
  /** Undefined where the administrator demands nothing. */
  readonly requirements: Requirements | undefined;
}

/**
 * Puts the layers together and holds them against what the administrator demands.
 *
 * @throws {ConfigurationError} naming what is wrong and where it is, also if the demands cannot be
 * known: nothing may start then
 */
export async function loadForExecutor(
  { places = hostPlaces(Deno.env.toObject()), ...sources }: Sources,
): Promise<LoadedForExecutor> {
  const demands = readSystemFile(places.requirements);
  const loaded = await loadConfiguration({ places, ...sources });
  if (demands === undefined) return { ...loaded, requirements: undefined };
  const [{ parseRequirements }, { enforceRequirements }] = await Promise.all([
    import("./requirements.ts"),
    import("./enforce.ts"),
  ]);
  const requirements = await parseRequirements(demands, places.requirements);
  const configuration = enforceRequirements(loaded.configuration, requirements);
  return { ...loaded, configuration, requirements };
}

function readGivenFile(path: string): string {
  try {
    return readFile(path);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new ConfigurationError(`--config: ${error.message}`);
  }
}
