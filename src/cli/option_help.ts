import {
  type ConfiguredCommand,
  optionOf,
  type SettingName,
  settingNames,
  SETTINGS,
} from "../config/settings.ts";
import type { CommandOption } from "./setting_options.ts";

/** The help on one option. */
export interface OptionHelp {
  /** How it is written: `--listen ADDRESS`. */
  readonly label: string;
  readonly meaning: string;
  /** Whether `--help` leaves it to `--help-all`. */
  readonly rare: boolean;
}

/** Which help is asked for: what most people need, on one screen, or all there is. */
export type HelpExtent = "help" | "help-all";

const WIDTH = 100;
const MEANING_COLUMN = 32;

/** The help that a command line asks for, if it does. */
export function helpAskedFor(
  values: { readonly help: boolean; readonly "help-all"?: boolean },
): HelpExtent | undefined {
  if (values["help-all"] === true) return "help-all";
  return values.help ? "help" : undefined;
}

/** The lines of help on options: their labels in one column, their meanings in another. */
export function helpText(options: readonly OptionHelp[], extent: HelpExtent = "help-all"): string {
  return options.filter(({ rare }) => extent === "help-all" || !rare).map(optionText).join("");
}

/** The help on a command's settings. */
export function settingsHelp(command: ConfiguredCommand): OptionHelp[] {
  return settingNames(command).map(optionHelp);
}

/** The help on the options of a command's table. */
export function optionsHelp(options: Readonly<Record<string, CommandOption>>): OptionHelp[] {
  return Object.entries(options).map(([name, option]) => {
    const value = option.placeholder === undefined ? "" : ` ${option.placeholder}`;
    // What is on by default is there to be switched off.
    return {
      label: `--${option.default === true ? "no-" : ""}${name}${value}`,
      meaning: option.meaning,
      rare: option.rare === true,
    };
  });
}

/** Where else settings come from. */
export const LAYERS_HELP =
  "Files and environment variables set the same; `remex config --help` tells how.\n";

/** The help on a setting. */
export function optionHelp(name: SettingName): OptionHelp {
  const { type: { placeholder }, fallback, meaning, rare = false } = SETTINGS[name];
  const option = `--${optionOf(name)}`;
  if (placeholder === undefined) return { label: option, meaning, rare };
  return {
    rare,
    label: `${option} ${placeholder}`,
    meaning: fallback === undefined || fallback === "none"
      ? meaning
      : `${meaning} (default ${fallback})`,
  };
}

function optionText({ label, meaning }: OptionHelp): string {
  const [first = "", ...rest] = wrapped(meaning, WIDTH - MEANING_COLUMN);
  const indent = " ".repeat(MEANING_COLUMN);
  const start = label.length < MEANING_COLUMN - 3
    ? `  ${label}`.padEnd(MEANING_COLUMN) + first
    : `  ${label}\n${indent}${first}`;
  return [start, ...rest.map((line) => indent + line)].join("\n") + "\n";
}

/** A text in lines that are no wider than all help is. */
export function paragraph(text: string): string {
  return wrapped(text, WIDTH).join("\n");
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length > width) lines.push(line);
    line = longer.length > width ? word : longer;
  }
  return [...lines, line];
}
