import type { OptionHelp, ValueHint } from "../command_manual.ts";
import { brief, type CommandToComplete, GLOBAL_OPTIONS } from "./commands_to_complete.ts";

/** What completes command lines of remex in fish 3.1 and later. */
export function fishCompletion(commands: readonly CommandToComplete[]): string {
  const names = commands.map(({ name, summary }) =>
    `complete -c remex -n __remex_needs_command -a ${name} -d ${quoted(summary)}\n`
  );
  const globals = GLOBAL_OPTIONS.map((name) =>
    `complete -c remex -n __remex_needs_command -l ${name.slice(2)}\n`
  );
  return `# Completes command lines of remex in fish. Made by \`remex completions fish\`.

function __remex_needs_command
  test (count (commandline -opc)) -eq 1
end

# Whether the command is this one, and the cursor is before any --.
function __remex_is
  set -l words (commandline -opc)
  test "$words[2]" = $argv[1]; and not contains -- -- $words
end

# Whether the cursor is in a command line after --.
function __remex_in_command
  set -l words (commandline -opc)
  contains -- "$words[2]" $argv; and contains -- -- $words
end

# The handles of jobs are files, each called after its job.
function __remex_jobs
  set -l state $XDG_STATE_HOME
  test -n "$state"; or set state $HOME/.local/state
  for file in $state/remex/jobs/*.json
    basename $file .json
  end
end

function __remex_complete_command
  set -l words (commandline -opc)
  set -l dashes (contains -i -- -- $words)
  set -l command $words[(math $dashes + 1)..-1]
  complete -C (string join ' ' -- (string escape -- $command) (commandline -ct))
end

complete -c remex -f
${names.join("")}${globals.join("")}${commands.map(commandLines).join("")}`;
}

function commandLines({ name, options, operands }: CommandToComplete): string {
  const lines = options.map((option) => optionLine(name, option));
  if (operands?.kind === "command") {
    lines.push(
      `complete -c remex -n '__remex_in_command ${name}' -x -a '(__remex_complete_command)'`,
    );
  } else if (operands !== undefined) {
    lines.push(`complete -c remex -n '__remex_is ${name}'${offer(operands, "operand")}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

function optionLine(command: string, { name, short, meaning, value }: OptionHelp): string {
  const letter = short === undefined ? "" : ` -s ${short.slice(1)}`;
  const values = value === undefined ? "" : offer(value, "value");
  return `complete -c remex -n '__remex_is ${command}' -l ${name.slice(2)}${letter}${values}` +
    ` -d ${quoted(brief(meaning))}`;
}

/** What is offered as the value of an option, which has to have one, or as an operand. */
function offer(hint: ValueHint, place: "value" | "operand"): string {
  const required = place === "value" ? " -x" : "";
  switch (hint.kind) {
    case "words":
      return `${required} -a ${quoted(hint.words.join(" "))}`;
    case "file":
      return place === "value" ? " -r -F" : " -F";
    case "directory":
      return `${required} -a '(__fish_complete_directories)'`;
    case "host":
      return `${required} -a '(__fish_print_hostnames)'`;
    case "job":
      return `${required} -a '(__remex_jobs)'`;
    case "anything":
      return required;
  }
}

/** A text as one word of fish, where a backslash counts within quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, "\\$&")}'`;
}
