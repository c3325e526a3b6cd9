import {
  type HelpExtent,
  type HelpRow,
  helpText,
  type OptionHelp,
  type ValueHint,
} from "./option_help.ts";

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
