import { startingEnvironment } from "../os/environment.ts";
import { Configuration, type Layer } from "./configuration.ts";
import { environmentLayer } from "./environment_layer.ts";
import { isSystemDirectory, readFile, readSystemFile, readUserFile } from "./jsonc_file.ts";
import { fitIntoMemory } from "./memory_layer.ts";
import { ConfigurationError, type FileLayerName } from "./origin.ts";
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
export async function loadConfiguration(sources: Sources): Promise<Loaded> {
  const { environment, places } = whereToLook(sources);
  return await loadLayers(sources, environment, places, isSystemDirectory(places.directory));
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
export async function loadForExecutor(sources: Sources): Promise<LoadedForExecutor> {
  const { environment, places } = whereToLook(sources);
  const administered = isSystemDirectory(places.directory);
  const demands = administered ? readSystemFile(places.requirements) : undefined;
  const loaded = await loadLayers(sources, environment, places, administered);
  if (demands === undefined) {
    const configuration = fitIntoMemory(loaded.configuration);
    return { ...loaded, configuration, requirements: undefined };
  }
  const [{ parseRequirements }, { enforceRequirements }] = await Promise.all([
    import("./requirements.ts"),
    import("./enforce.ts"),
  ]);
  const requirements = await parseRequirements(demands, places.requirements);
  const configuration = fitIntoMemory(enforceRequirements(loaded.configuration, requirements));
  return { ...loaded, configuration, requirements };
}

function whereToLook({ environment = startingEnvironment(), places }: Sources) {
  return { environment, places: places ?? hostPlaces(environment) };
}

/** @param administered whether there may be a file of the system's */
async function loadLayers(
  { commandLine, configFile }: Sources,
  environment: Readonly<Record<string, string>>,
  { system, user }: Places,
  administered: boolean,
): Promise<Loaded> {
  const layers: Layer[] = [];
  const add = async (text: string | undefined, file: string, name: FileLayerName) => {
    if (text === undefined) return;
    const { fileLayer } = await import("./file_layer.ts");
    layers.push(await fileLayer(text, file, name));
  };
  if (administered) await add(readSystemFile(system), system, "system file");
  if (user !== undefined) await add(readUserFile(user), user, "user file");
  if (configFile !== undefined) await add(readGivenFile(configFile), configFile, "given file");
  const { layer, unknown } = environmentLayer(environment);
  return {
    configuration: new Configuration([...layers, layer, commandLine]),
    unknownVariables: unknown,
  };
}

function readGivenFile(path: string): string {
  try {
    return readFile(path);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new ConfigurationError(`--config: ${error.message}`);
  }
}
