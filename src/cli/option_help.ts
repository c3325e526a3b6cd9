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
}

const WIDTH = 100;
const MEANING_COLUMN = 32;

/** The lines of help on options: their labels in one column, their meanings in another. */
export function helpText(options: readonly OptionHelp[]): string {
  return options.map(optionText).join("");
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
    };
  });
}

/** Where else settings come from. */
export const LAYERS_HELP =
  "Files and environment variables set the same; `remex config --help` tells how.\n";

/** The help on a setting. */
export function optionHelp(name: SettingName): OptionHelp {
  const { type: { placeholder }, fallback, meaning } = SETTINGS[name];
  const option = `--${optionOf(name)}`;
  if (placeholder === undefined) {
    // What is on by default is there to be switched off.
    return { label: fallback === true ? `--[no-]${optionOf(name)}` : option, meaning };
  }
  return {
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
