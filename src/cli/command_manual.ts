import {
  type ConfiguredCommand,
  optionOf,
  type SettingName,
  settingNames,
  SETTINGS,
} from "../config/settings.ts";
import type { CommandOption } from "./setting_options.ts";

/** What there is to say of a command: in its help, in the man page, and to a shell. */
export interface CommandManual {
  /** How it is called, after `remex`. */
  readonly synopsis: string;
  /** What it does, in lines. */
  readonly description: string;
  readonly options: readonly OptionHelp[];
  /** Options that it takes, too, and that the help of other commands explains. @default none */
  readonly otherOptions?: readonly OptionHelp[];
  /** What stands on its command line besides options; `command` for a command after `--`. @default nothing */
  readonly operands?: ValueHint | { readonly kind: "command" };
  /** What else there is to know, in lines; empty for nothing. */
  notes(extent: HelpExtent): string;
  /** What the notes end with, in columns. @default nothing */
  readonly reference?: readonly HelpRow[];
}

/**
 * What `--help` or `--help-all` prints of a command.
 *
 * @param extent all there is, for a command without `--help-all`
 */
export function usageText(manual: CommandManual, extent: HelpExtent = "help-all"): string {
  const { synopsis, description, options, reference = [] } = manual;
  const notes = manual.notes(extent) + helpText(reference, extent);
  return `usage: remex ${synopsis}\n\n${description}\n\n${helpText(options, extent)}` +
    (notes === "" ? "" : `\n${notes}`);
}

/** Something that help explains. */
export interface HelpRow {
  /** How it is written: `--listen ADDRESS`. */
  readonly label: string;
  readonly meaning: string;
  /** Whether `--help` leaves it to `--help-all`. */
  readonly rare: boolean;
}

/** What a shell can offer as a value. */
export type ValueHint =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "file" | "directory" | "host" | "job" | "anything" };

/** The help on one option. */
export interface OptionHelp extends HelpRow {
  /** Its name with its dashes. */
  readonly name: string;
  /** Its letter with a dash; missing if it has none. */
  readonly short?: string;
  /** What the help calls its value; undefined for a switch. */
  readonly placeholder: string | undefined;
  /** Undefined for a switch. */
  readonly value: ValueHint | undefined;
  /** Whether it may be given several times. */
  readonly multiple: boolean;
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
function helpText(options: readonly HelpRow[], extent: HelpExtent = "help-all"): string {
  return options.filter(({ rare }) => extent === "help-all" || !rare).map(optionText).join("");
}

/** The help on a command's settings. */
export function settingsHelp(command: ConfiguredCommand): OptionHelp[] {
  return settingNames(command).map(optionHelp);
}

/** The help on the options of a command's table. */
export function optionsHelp(options: Readonly<Record<string, CommandOption>>): OptionHelp[] {
  return Object.entries(options).map(([name, option]) => {
    const { placeholder, meaning, short, words, rare = false, multiple = false } = option;
    // What is on by default is there to be switched off.
    const written = `--${option.default === true ? "no-" : ""}${name}`;
    return {
      ...optionNamed(written, placeholder, words),
      ...short === undefined ? {} : { short: `-${short}` },
      meaning,
      rare,
      multiple,
    };
  });
}

/** Where else settings come from. */
export const LAYERS_HELP =
  "Files and environment variables set the same; `remex config --help` tells how.\n";

/** The help on a setting. */
export function optionHelp(name: SettingName): OptionHelp {
  const { type: { placeholder, words }, fallback, meaning, rare = false } = SETTINGS[name];
  const withDefault = placeholder !== undefined && fallback !== undefined && fallback !== "none";
  return {
    ...optionNamed(`--${optionOf(name)}`, placeholder, words),
    meaning: withDefault ? `${meaning} (default ${fallback})` : meaning,
    rare,
    multiple: false,
  };
}

function optionNamed(name: string, placeholder?: string, words?: readonly string[]) {
  if (placeholder === undefined) return { name, label: name, placeholder, value: undefined };
  return { name, label: `${name} ${placeholder}`, placeholder, value: hintOf(placeholder, words) };
}

/** What a value is shows in what it is called. */
function hintOf(placeholder: string, words: readonly string[] | undefined): ValueHint {
  if (words !== undefined) return { kind: "words", words };
  switch (placeholder) {
    case "FILE":
    case "PATH":
      return { kind: "file" };
    case "DIR":
      return { kind: "directory" };
    case "HOST":
      return { kind: "host" };
    default:
      return { kind: "anything" };
  }
}

function optionText({ label, meaning }: HelpRow): string {
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
