import type { Given, Layer } from "../config/configuration.ts";
import { givenAsText } from "../config/environment_layer.ts";
import { nearName } from "../config/near_name.ts";
import {
  type ConfiguredCommand,
  optionOf,
  type SettingName,
  settingNames,
  SETTINGS,
} from "../config/settings.ts";
import { UsageError } from "./usage_error.ts";

/** An option for `parseArgs`. */
type OptionSpec = { readonly type: "boolean" | "string" };

/** What `parseArgs` found. */
export type OptionValues = Readonly<
  Record<string, string | boolean | readonly (string | boolean)[] | undefined>
>;

/** The settings of a command, or of all, as options for `parseArgs`. */
export function settingOptions(command?: ConfiguredCommand): Record<string, OptionSpec> {
  return Object.fromEntries(
    settingNames(command).map((name) => [
      optionOf(name),
      { type: SETTINGS[name].type.placeholder === undefined ? "boolean" : "string" },
    ]),
  );
}

/**
 * What the command line says.
 *
 * @throws {ConfigurationError} naming the option that is wrong
 */
export function commandLineLayer(values: OptionValues): Layer {
  const layer = new Map<SettingName, Given>();
  for (const name of settingNames()) {
    const given = values[optionOf(name)];
    const option = `--${optionOf(name)}`;
    const origin = { layer: "command line", option } as const;
    if (typeof given === "boolean") layer.set(name, { value: given, origin });
    if (typeof given !== "string") continue;
    layer.set(name, { value: givenAsText(name, option, given), origin });
  }
  return layer;
}

/** What `parseArgs` says of a command line, with what may have been meant. */
export function misread(command: string, error: unknown, options: readonly string[]): UsageError {
  const words = error instanceof Error ? error.message : String(error);
  const dashed = /^Option '(?:-\w, )?(--[\w-]+).* argument is ambiguous/.exec(words)?.[1];
  if (dashed !== undefined) {
    return new UsageError(`a value of ${dashed} that begins with a dash is written ${dashed}=…`);
  }
  const unknown = /^Unknown option '--([^'=]+)/.exec(words)?.[1];
  const near = unknown && nearName(unknown, options);
  const fix = near === undefined || near === ""
    ? `\`remex ${command} --help\` lists the options`
    : `was --${near} meant?`;
  return new UsageError(`${words.replaceAll("\n", " ")}; ${fix}`);
}
