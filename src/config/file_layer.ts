import type { Given, Layer } from "./configuration.ts";
import { acceptedValue, type Member, parseMembers, SCHEMA_KEY } from "./jsonc_file.ts";
import { nearName } from "./environment_layer.ts";
import { ConfigurationError, type FileLayerName } from "./origin.ts";
import { isSettingName, type SettingName, settingNames, SETTINGS } from "./settings.ts";

/**
 * Reads the settings of a file.
 *
 * @throws {ConfigurationError} naming the file, the line and the key that is wrong
 */
export async function fileLayer(text: string, file: string, name: FileLayerName): Promise<Layer> {
  const layer = new Map<SettingName, Given>();
  for (const member of await parseMembers(text, file)) {
    const { key, position } = member;
    if (key === SCHEMA_KEY) continue;
    if (!isSettingName(key)) throw unknownKey(member, settingNames(), "remex config --help");
    layer.set(key, { value: valueOf(member, key), origin: { layer: name, ...position } });
  }
  return layer;
}

function valueOf<Name extends SettingName>(member: Member, name: Name): unknown {
  return acceptedValue(member, SETTINGS[name].type);
}

/** The error of an unknown key. */
export function unknownKey(
  { key, position: { file, line } }: Member,
  known: readonly string[],
  listedBy: string,
): ConfigurationError {
  const near = nearName(key, known);
  const fix = near === undefined ? `\`${listedBy}\` lists the keys` : `was \`${near}\` meant?`;
  return new ConfigurationError(`${file}:${line}: unknown key \`${key}\`; ${fix}`);
}
