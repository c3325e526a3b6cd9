import type { ValueHint } from "../command_manual.ts";
import { type CommandToComplete, GLOBAL_OPTIONS, quoted } from "./commands_to_complete.ts";

/** What completes command lines of remex in bash 3.2 and later, with or without bash-completion. */
export function bashCompletion(commands: readonly CommandToComplete[]): string {
  const names = [...commands.map(({ name }) => name), ...GLOBAL_OPTIONS];
  return `# Completes command lines of remex in bash. Made by \`remex completions bash\`.

# Offers what compgen finds, a line each.
_remex_offer() {
  local line
  while IFS= read -r line; do
    COMPREPLY+=("$line")
  done < <(compgen "$@" -- "$cur")
}

# Readline completes names of files itself, with the right quotes, where it can be told to.
_remex_files() { compopt -o default 2>/dev/null || _remex_offer -f; }
_remex_directories() { compopt -o dirnames 2>/dev/null || _remex_offer -d; }

_remex_hosts() {
  if declare -F _known_hosts_real >/dev/null; then
    _known_hosts_real -- "$cur"
  else
    _remex_offer -A hostname
  fi
}

# The handles of jobs are files, each called after its job.
_remex_jobs() {
  local file
  for file in "\${XDG_STATE_HOME:-$HOME/.local/state}"/remex/jobs/"$cur"*.json; do
    [[ -e $file ]] || continue
    file=\${file##*/}
    COMPREPLY+=("\${file%.json}")
  done
}

# A command line that begins at the word with this number.
_remex_command() {
  if declare -F _command_offset >/dev/null; then
    _command_offset "$1"
  elif ((COMP_CWORD == $1)); then
    _remex_offer -c
  else
    _remex_files
  fi
}

_remex() {
  local cur=\${COMP_WORDS[COMP_CWORD]} command=\${COMP_WORDS[1]} option=\${COMP_WORDS[COMP_CWORD - 1]} i
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    _remex_offer -W ${quoted(names.join(" "))}
    return
  fi
  for ((i = 2; i < COMP_CWORD; i++)); do
    [[ \${COMP_WORDS[i]} == -- ]] || continue
    case $command in
${afterDashes(commands)}
    esac
    return
  done
  # Readline takes the equals sign of --option=value for a word.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $option == = ]]; then
    option=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case "$command $option" in
${values(commands)}
  esac
  case $command in
${commands.map(wordsOf).join("\n")}
  esac
}

complete -F _remex remex
`;
}

function afterDashes(commands: readonly CommandToComplete[]): string {
  const takingCommands = commands.filter(({ operands }) => operands?.kind === "command")
    .map(({ name }) => name);
  return `      ${takingCommands.join(" | ")}) _remex_command $((i + 1)) ;;`;
}

/** What is offered for each option that takes a value; the options that are alike together. */
function values(commands: readonly CommandToComplete[]): string {
  const offers = new Map<string, Map<string, string>>();
  for (const { name, options } of commands) {
    for (const option of options) {
      if (option.value === undefined) continue;
      const ofOption = offers.get(option.name) ?? new Map<string, string>();
      offers.set(option.name, ofOption.set(name, `${offer(option.value)}return`));
    }
  }
  const patterns = new Map<string, string[]>();
  for (const [option, byCommand] of offers) {
    const different = new Set(byCommand.values());
    for (const [command, action] of byCommand) {
      const pattern = different.size === 1 ? `*' ${option}'` : quoted(`${command} ${option}`);
      const known = patterns.get(action) ?? [];
      if (!known.includes(pattern)) patterns.set(action, [...known, pattern]);
    }
  }
  return [...patterns].map(([action, each]) => `    ${each.join(" | ")}) ${action} ;;`).join("\n");
}

/** Offers values: a statement with its end, or nothing. */
function offer(hint: ValueHint): string {
  switch (hint.kind) {
    case "words":
      return `_remex_offer -W ${quoted(hint.words.join(" "))}; `;
    case "file":
      return "_remex_files; ";
    case "directory":
      return "_remex_directories; ";
    case "host":
      return "_remex_hosts; ";
    case "job":
      return "_remex_jobs; ";
    case "anything":
      return "";
  }
}

/** What is offered where no value is due. */
function wordsOf({ name, options, operands }: CommandToComplete): string {
  const written = options.map((option) => option.name);
  if (operands?.kind === "command") written.push("--");
  const all = operands?.kind === "words" ? [...operands.words, ...written] : written;
  const isListed = operands?.kind === "file" || operands?.kind === "job";
  const more = isListed ? ` && ${offer(operands).replace("; ", "")}` : "";
  return `    ${name}) _remex_offer -W ${quoted(all.join(" "))}${more} ;;`;
}
