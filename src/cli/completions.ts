import { type CommandManual, optionsHelp, usageText } from "./command_manual.ts";
import { bashCompletion } from "./completion/bash.ts";
import { commandsToComplete, type CommandToComplete } from "./completion/commands_to_complete.ts";
import { fishCompletion } from "./completion/fish.ts";
import { zshCompletion } from "./completion/zsh.ts";
import { HELP_OPTION, parseOptions } from "./setting_options.ts";
import { print } from "./standard_streams.ts";
import { UsageError } from "./usage_error.ts";

const SHELLS = new Map<string, (commands: readonly CommandToComplete[]) => string>([
  ["bash", bashCompletion],
  ["zsh", zshCompletion],
  ["fish", fishCompletion],
]);

/** What is told of `remex completions`. */
export const COMPLETIONS_MANUAL: CommandManual = {
  synopsis: "completions (bash | zsh | fish)",
  description: "Prints a script that completes command lines of remex in a shell.",
  options: optionsHelp(HELP_OPTION),
  operands: { kind: "words", words: [...SHELLS.keys()] },
  notes: () =>
    `Where each shell finds it:
  remex completions bash > ~/.local/share/bash-completion/completions/remex
  remex completions zsh > DIR/_remex, where DIR is in $fpath
  remex completions fish > ~/.config/fish/completions/remex.fish
bash without its package bash-completion reads it from ~/.bashrc: . <(remex completions bash)
`,
};

/** `remex completions`: prints a script for a shell. Returns the exit code. */
export async function completions([shell = "", ...rest]: string[]): Promise<number> {
  const script = SHELLS.get(shell);
  const options = script === undefined ? [shell, ...rest].filter((word) => word !== "") : rest;
  const { help } = parseOptions(
    "completions",
    options,
    HELP_OPTION,
    "; the shells are bash, zsh and fish",
  );
  if (help) {
    await print(usageText(COMPLETIONS_MANUAL));
    return 0;
  }
  if (script === undefined) throw new UsageError("say for which shell: bash, zsh or fish");
  await print(script(await commandsToComplete()));
  return 0;
}
