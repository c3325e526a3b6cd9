import { startingEnvironment } from "../os/environment.ts";
import { Configuration, type Given, type Layer } from "./configuration.ts";
import { environmentLayer } from "./environment_layer.ts";
import { isSystemDirectory, readFile, readSystemFile, readUserFile } from "./jsonc_file.ts";
import { ConfigurationError, type FileLayerName } from "./origin.ts";
import { hostPlaces, type Places } from "./places.ts";
import type { Requirements } from "./requirements.ts";
import { memoryLimit } from "../os/memory.ts";
import { MIN_MEMORY_BUDGET, MIN_MESSAGE_BYTES, type SettingName } from "./settings.ts";

/** The sources of settings. */
export interface Sources {
  readonly commandLine: Layer;
  /** The file that `--config` names. */
  readonly configFile?: string | undefined;
  /** @default this program's */
  readonly environment?: Readonly<Record<string, string>>;
  /** @default this machine's */
  readonly places?: Places;
}

/** The loaded settings. */
export interface Loaded {
  readonly configuration: Configuration;
  /** Variables with the prefix of settings that name none. */
  readonly unknownVariables: readonly string[];
}

/**
 * Loads the settings of all layers.
 *
 * @throws {ConfigurationError} naming what is wrong and where it is
 */
export async function loadConfiguration(sources: Sources): Promise<Loaded> {
  const { environment, places } = whereToLook(sources);
  return await loadLayers(sources, environment, places, isSystemDirectory(places.directory));
}

/** The loaded settings and requirements of an executor. */
export interface LoadedForExecutor extends Loaded {
  /** Undefined without a file of requirements. */
  readonly requirements: Requirements | undefined;
}

/**
 * Loads the settings and enforces the administrator's requirements on them.
 *
 * @throws {ConfigurationError} naming what is wrong and where it is, also if the requirements cannot be
 * read
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

/** @param administered whether the administrator's directory exists */
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

/** The largest share of the memory that each default may be. */
const SHARES = { memoryBudget: 1 / 4, maxMessageBytes: 1 / 16 } as const satisfies Partial<
  Record<SettingName, number>
>;

const LEAST = { memoryBudget: MIN_MEMORY_BUDGET, maxMessageBytes: MIN_MESSAGE_BYTES } as const;

/**
 * Lowers defaults to a share of the memory, so that an executor works in a small container without
 * settings for it.
 *
 * @param memory in bytes. @default the memory that this program may use
 */
export function fitIntoMemory(
  configuration: Configuration,
  memory: number = memoryLimit(),
): Configuration {
  const lowered = new Map<SettingName, Given>();
  for (const name of ["memoryBudget", "maxMessageBytes"] as const) {
    const value = Math.max(LEAST[name], Math.floor(memory * SHARES[name]));
    const { layer } = configuration.origin(name);
    if (layer !== "built in" && layer !== "requirements") continue;
    if (value >= configuration.get(name)) continue;
    lowered.set(name, { value, origin: { layer: "memory", bytes: memory } });
  }
  return configuration.withOverrides(lowered);
}
