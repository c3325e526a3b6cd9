import { levenshteinDistance } from "@std/text/levenshtein-distance";
import type { Given } from "./configuration.ts";
import { ConfigurationError } from "./origin.ts";
import {
  type SettingName,
  settingNames,
  SETTINGS,
  VARIABLE_PREFIX,
  variableOf,
} from "./settings.ts";

/** The settings that environment variables give. */
export interface EnvironmentLayer {
  readonly layer: ReadonlyMap<SettingName, Given>;
  /** Variables with the prefix of settings that name none. */
  readonly unknown: readonly string[];
}

/**
 * The variables that Kubernetes sets for every service of a namespace, which may be called `remex`:
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
const SERVICE_LINK =
  /_SERVICE_(HOST|PORT(_.*)?)$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$/;

/**
 * Reads the environment variables. Other programs may use the prefix too, so an unknown variable is an
 * error only if its name is close to a setting's.
 *
 * @throws {ConfigurationError} naming a variable that is wrong
 */
export function environmentLayer(
  environment: Readonly<Record<string, string>>,
): EnvironmentLayer {
  const ours = Object.entries(environment)
    .filter(([variable]) => variable.startsWith(VARIABLE_PREFIX) && !SERVICE_LINK.test(variable));
  const layer = new Map<SettingName, Given>();
  const unknown: string[] = [];
  if (ours.length === 0) return { layer, unknown };
  const names = new Map(settingNames().map((name) => [variableOf(name), name]));
  for (const [variable, text] of ours) {
    const name = names.get(variable);
    if (name === undefined) {
      refuseNearMiss(variable, [...names.keys()]);
      unknown.push(variable);
      continue;
    }
    if (!text.isWellFormed()) {
      throw new ConfigurationError(`${variable} in the environment is not UTF-8`);
    }
    const value = givenAsText(name, variable, text);
    layer.set(name, { value, origin: { layer: "environment", variable } });
  }
  return { layer, unknown };
}

/**
 * Reads the value of a setting from an option or a variable.
 *
 * @param where the name of the option or variable
 * @throws {ConfigurationError} naming it
 */
export function givenAsText(name: SettingName, where: string, text: string): unknown {
  const { type } = SETTINGS[name];
  const value = type.fromText(text);
  if (type.accepts(value)) return value;
  const given = type.delicate === true ? "its value" : `\`${text}\``;
  throw new ConfigurationError(`${where}: ${given} is not ${type.expected}`);
}

function refuseNearMiss(variable: string, known: readonly string[]): void {
  const name = variable.slice(VARIABLE_PREFIX.length);
  const near = nearName(name, known.map((other) => other.slice(VARIABLE_PREFIX.length)));
  if (near === undefined) return;
  throw new ConfigurationError(
    `${variable} in the environment is no setting; was ${VARIABLE_PREFIX}${near} meant?`,
  );
}

/** The known name that is closest to another; undefined if none is close. */
export function nearName(name: string, known: readonly string[]): string | undefined {
  const tolerated = Math.min(2, Math.floor(name.length / 3));
  return known
    .map((other) => ({
      other,
      distance: levenshteinDistance(name.toLowerCase(), other.toLowerCase()),
    }))
    .filter(({ distance }) => distance <= tolerated)
    .toSorted((left, right) => left.distance - right.distance)[0]?.other;
}
