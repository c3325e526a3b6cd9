import {
  type ConfiguredCommand,
  optionOf,
  type SettingName,
  settingNames,
  SETTINGS,
} from "../config/settings.ts";

/** Something that can be set, for people. */
export interface OptionHelp {
  /** How it is written: `--listen ADDRESS`. */
  readonly label: string;
  readonly meaning: string;
}

const WIDTH = 100;
const MEANING_COLUMN = 26;

/** The lines that tell of options. */
export function helpText(options: readonly OptionHelp[]): string {
  return options.map(optionText).join("");
}

/** What there is to say of a command's settings. */
export function settingsHelp(command: ConfiguredCommand): OptionHelp[] {
  return settingNames(command).map(optionHelp);
}

/** The options that every command with settings has besides. */
export const COMMON_OPTIONS: readonly OptionHelp[] = [
  {
    label: "--config FILE",
    meaning: "a file of settings, over those of this machine and of the user",
  },
  { label: "--help", meaning: "this text" },
];

/** Where else settings come from. */
export const LAYERS_HELP =
  "Files and the environment can set the same; `remex config --help` tells how.\n";

/** A setting as an option of the command line. */
export function optionHelp(name: SettingName): OptionHelp {
  const { type: { placeholder }, fallback, meaning } = SETTINGS[name];
  const option = `--${optionOf(name)}`;
  if (placeholder === undefined) return { label: option, meaning };
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
