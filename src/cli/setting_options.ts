import type { Given, Layer } from "../config/configuration.ts";
import { givenAsText, nearName } from "../config/environment_layer.ts";
import {
  type ConfiguredCommand,
  optionOf,
  type SettingName,
  settingNames,
  SETTINGS,
} from "../config/settings.ts";
import { UsageError } from "./usage_error.ts";
import { parseArgs } from "node:util";

/** An option for `parseArgs`. */
export interface OptionSpec {
  readonly type: "boolean" | "string";
  readonly short?: string;
  readonly multiple?: boolean;
}

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

/**
 * Looks at a command line before `parseArgs` reads it, and says what is wrong with it.
 *
 * @param command whose help lists the options
 * @param positionalHint what to say of an argument that is no option
 * @throws {UsageError} naming the culprit and the fix
 */
export function checkOptions(
  command: string,
  args: string[],
  specs: Readonly<Record<string, OptionSpec>>,
  positionalHint = "",
): void {
  const allowNegative = true;
  const { tokens } = parseArgs({
    args,
    options: specs,
    strict: false,
    tokens: true,
    allowNegative,
  });
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      throw new UsageError(`unexpected argument \`${token.value}\`${positionalHint}`);
    }
    const { rawName, inlineValue, value } = token;
    const negated = rawName.startsWith("--no-") && !Object.hasOwn(specs, rawName.slice(2));
    const name = negated ? rawName.slice("--no-".length) : token.name;
    const type = Object.hasOwn(specs, name) ? specs[name]?.type : undefined;
    if (type === undefined || negated && type !== "boolean") {
      throw unknownOption(command, rawName, Object.keys(specs));
    }
    if (type === "boolean" && value !== undefined) {
      throw new UsageError(`${rawName} takes no value`);
    }
    if (type === "string" && value === undefined) {
      throw new UsageError(`${rawName} needs a value; \`remex ${command} --help\` tells which`);
    }
    if (value?.startsWith("-") === true && value !== "-" && inlineValue === false) {
      throw new UsageError(`a value of ${rawName} that begins with a dash is written ${rawName}=…`);
    }
  }
}

function unknownOption(command: string, rawName: string, known: readonly string[]): UsageError {
  const near = nearName(rawName.replace(/^--?/, ""), known);
  const fix = near === undefined || near === ""
    ? `\`remex ${command} --help\` lists the options`
    : `was --${near} meant?`;
  return new UsageError(`unknown option \`${rawName}\`; ${fix}`);
}
