import type { Configuration, Given, Layer } from "../config/configuration.ts";
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
import { MAX_TIMER_MS } from "../protocol/timer.ts";

/** An option as `parseArgs` needs it. */
export interface OptionSpec {
  readonly type: "boolean" | "string";
  readonly short?: string;
  readonly multiple?: boolean;
  readonly default?: boolean | string;
}

/** An option that belongs to one command and is no setting: a row of the table beside the command. */
export interface CommandOption extends OptionSpec {
  /** What the help calls the option's value. */
  readonly placeholder?: string;
  /** All values that it can have. @default too many to say */
  readonly words?: readonly string[];
  readonly meaning: string;
  /** Whether `--help` leaves it to `--help-all`. */
  readonly rare?: true;
}

/** The option that every command has. */
export const HELP_OPTION = {
  help: { type: "boolean", short: "h", default: false, meaning: "print this text" },
} as const;

/** The options of a command that has rare options. */
export const HELP_OPTIONS = {
  ...HELP_OPTION,
  "help-all": {
    type: "boolean",
    default: false,
    meaning: "print this text with the rarer options, too",
  },
} as const;

/** The option that every command with settings has. */
export const CONFIG_OPTION = {
  config: {
    type: "string",
    placeholder: "FILE",
    meaning: "read settings from this file, over those of the machine and the user",
  },
} as const;

/** What the command line of a command with settings says. */
export interface LayeredArguments<Options> {
  readonly commandLine: Layer;
  readonly configFile: string | undefined;
  /** Adds the settings. @throws {UsageError | ConfigurationError} naming the culprit and the fix */
  readonly options: (configuration: Configuration) => Options;
}

/**
 * Reads a command line.
 *
 * @param command whose help lists the options
 * @param positionalHint what to say of an argument that is no option
 * @throws {UsageError} naming the culprit and the fix
 */
export function parseOptions<const Options extends Record<string, OptionSpec>>(
  command: string,
  args: string[],
  options: Options,
  positionalHint = "",
) {
  checkOptions(command, args, options, positionalHint);
  return parseArgs({ args, allowNegative: true, options }).values;
}

/**
 * Reads a command line with names besides the options.
 *
 * @throws {UsageError} naming the culprit and the fix
 */
export function parseOptionsAndNames<const Options extends Record<string, OptionSpec>>(
  command: string,
  args: string[],
  options: Options,
) {
  checkOptions(command, args, options, false);
  return parseArgs({ args, allowNegative: true, allowPositionals: true, options });
}

/** The options that were given, by their names. */
export type OptionValues = Readonly<
  Record<string, string | boolean | readonly (string | boolean)[] | undefined>
>;

/** The settings of a command, or of all commands, as options. */
export function settingOptions(command?: ConfiguredCommand): Record<string, OptionSpec> {
  return Object.fromEntries(
    settingNames(command).map((name) => [
      optionOf(name),
      { type: SETTINGS[name].type.placeholder === undefined ? "boolean" : "string" },
    ]),
  );
}

/**
 * The settings that the command line gives.
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
 * Checks a command line before `parseArgs` reads it: the errors of `parseArgs` suggest no fix.
 *
 * @param command whose help lists the options
 * @param positionalHint what to say of an argument that is no option; false if it may be given
 * @throws {UsageError} naming the culprit and the fix
 */
export function checkOptions(
  command: string,
  args: string[],
  specs: Readonly<Record<string, OptionSpec>>,
  positionalHint: string | false = "",
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
      if (positionalHint === false) continue;
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

/**
 * A time in seconds that an option gives, in milliseconds.
 *
 * @param mostMs the longest time that it may be. @default what a timer can wait
 * @throws {UsageError}
 */
export function optionMilliseconds(
  option: string,
  text: string | undefined,
  mostMs: number = MAX_TIMER_MS,
): number | undefined {
  if (text === undefined) return undefined;
  const milliseconds = /^\d+(\.\d+)?$/.test(text) ? Math.ceil(Number(text) * 1000) : 0;
  if (milliseconds > 0 && milliseconds <= mostMs) return milliseconds;
  throw new UsageError(
    `${option}: \`${text}\` is not a number of seconds above 0, at most ${mostMs / 1000}`,
  );
}
