import { type CommandManual, usageText } from "./command_manual.ts";
import { manualPage } from "./manual_page.ts";
import { optionsHelp } from "./option_help.ts";
import { HELP_OPTION, parseOptions } from "./setting_options.ts";
import { print } from "./standard_output.ts";

/** What is told of `remex man`. */
export const MAN_MANUAL: CommandManual = {
  synopsis: "man",
  description: "Prints the manual page remex(1), for man(1): `remex man | man -l -` shows it.",
  options: optionsHelp(HELP_OPTION),
  notes: () => "",
};

/** `remex man`: prints the manual page. Returns the exit code. */
export async function man(args: string[]): Promise<number> {
  const { help } = parseOptions("man", args, HELP_OPTION);
  await print(help ? usageText(MAN_MANUAL) : await manualPage());
  return 0;
}
