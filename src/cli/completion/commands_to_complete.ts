import type { CommandManual, OptionHelp } from "../command_manual.ts";
import { COMMANDS } from "../commands.ts";

/** What a shell has to know of a command to complete its command line. */
export interface CommandToComplete {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionHelp[];
  readonly operands: CommandManual["operands"];
}

/** All commands for people, and `help`, which takes the name of one. */
export async function commandsToComplete(): Promise<readonly CommandToComplete[]> {
  const commands = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, { summary, manual }]) => {
      const { options, otherOptions = [], operands } = await manual();
      return { name, summary, options: [...options, ...otherOptions], operands };
    }),
  );
  const words = commands.map(({ name }) => name);
  const operands = { kind: "words", words } as const;
  return [...commands, {
    name: "help",
    summary: "print the help of a command",
    options: [],
    operands,
  }];
}

/** The options that need no command. */
export const GLOBAL_OPTIONS: readonly string[] = ["--version", "--help"];

/** A description that fits beside what it describes. */
const BRIEF_LENGTH = 70;

/** The beginning of a meaning, which says the most. */
export function brief(meaning: string): string {
  const [beginning = ""] = meaning.split(/; | \(|\. /);
  if (beginning.length <= BRIEF_LENGTH) return beginning;
  return `${beginning.slice(0, beginning.lastIndexOf(" ", BRIEF_LENGTH)).replace(/[,:]$/, "")} …`;
}

/** A text as one word of a shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
