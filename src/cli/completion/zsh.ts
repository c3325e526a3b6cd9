import type { OptionHelp, ValueHint } from "../command_manual.ts";
import { brief, type CommandToComplete, quoted } from "./commands_to_complete.ts";

/** What completes command lines of remex in zsh: a file of its `fpath`, or to be sourced. */
export function zshCompletion(commands: readonly CommandToComplete[]): string {
  const described = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  return `#compdef remex
# Completes command lines of remex in zsh. Made by \`remex completions zsh\`.

# Completes the command line after --, if the cursor is there.
_remex_in_command() {
  local -i dashes=\${words[(i)--]}
  ((dashes < CURRENT)) || return 1
  shift dashes words
  ((CURRENT -= dashes))
  _normal -p remex
  return 0
}

# The handles of jobs are files, each called after its job.
_remex_jobs() {
  local -a remex_jobs=("\${XDG_STATE_HOME:-$HOME/.local/state}"/remex/jobs/*.json(N:t:r))
  compadd -a remex_jobs
}

_remex() {
  local -a remex_commands=(
${described.join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe command remex_commands
    compadd -- --version --help
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
${commands.map(argumentsOf).join("\n")}
  esac
}

if [[ $funcstack[1] == _remex ]]; then
  _remex "$@"
else
  compdef _remex remex
fi
`;
}

function argumentsOf({ name, options, operands }: CommandToComplete): string {
  const specifications = options.flatMap(optionSpecifications);
  if (operands !== undefined && operands.kind !== "command") {
    specifications.push(`*:argument:${action(operands)}`);
  }
  const lines = specifications.map((specification) => `        ${quoted(specification)}`);
  const command = operands?.kind === "command" ? "      _remex_in_command && return\n" : "";
  return `    ${name})\n${command}      _arguments \\\n${lines.join(" \\\n")}\n      ;;`;
}

function optionSpecifications(option: OptionHelp): string[] {
  const { name, short, placeholder = "", meaning, value, multiple } = option;
  const told = `[${brief(meaning).replaceAll(/[\\[\]]/g, "\\$&")}]`;
  const argument = value === undefined ? "" : `:${escaped(placeholder)}:${action(value)}`;
  if (short === undefined) {
    return [`${multiple ? "*" : ""}${name}${value === undefined ? "" : "="}${told}${argument}`];
  }
  return [short, name].map((written) => `(${short} ${name})${written}${told}${argument}`);
}

function action(hint: ValueHint): string {
  switch (hint.kind) {
    case "words":
      return `(${hint.words.map(escaped).join(" ")})`;
    case "file":
      return "_files";
    case "directory":
      return "_files -/";
    case "host":
      return "_hosts";
    case "job":
      return "_remex_jobs";
    case "anything":
      return " ";
  }
}

/** Colons part a specification. */
function escaped(text: string): string {
  return text.replaceAll(":", "\\:");
}
