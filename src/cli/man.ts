import {
  type CommandManual,
  type HelpRow,
  type OptionHelp,
  optionsHelp,
  usageText,
} from "./command_manual.ts";
import { HELP_OPTION, parseOptions } from "./setting_options.ts";
import { print } from "./standard_streams.ts";
import { hostPlaces } from "../config/places.ts";
import { VARIABLE_PREFIX } from "../config/settings.ts";
import { VERSION } from "../version.ts";
import { COMMANDS } from "./commands.ts";

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

/** The manual page remex(1), in the macros of man(7), from what the commands say of themselves. */
async function manualPage(): Promise<string> {
  const told = new Map<CommandManual, string>();
  const sections: string[] = [];
  for (const [name, { summary, manual: load }] of Object.entries(COMMANDS)) {
    const manual = await load();
    const known = told.get(manual);
    sections.push(known === undefined ? commandSection(name, manual) : aliasSection(name, summary));
    told.set(manual, known ?? name);
  }
  const { system, requirements } = hostPlaces({});
  return [
    `.TH REMEX 1 "" "remex ${VERSION}" "User Commands"`,
    ".SH NAME",
    "remex \\- run commands on this machine for remote clients",
    ".SH SYNOPSIS",
    ".B remex",
    ".I COMMAND",
    "[options]",
    ".SH DESCRIPTION",
    line(
      "remex is a remote executor: a server that runs commands, in a sandbox if asked to, for " +
        "clients that speak the exec-server protocol, and a client that runs a command there as if it " +
        "ran here. Its commands are:",
    ),
    ...Object.entries(COMMANDS).map(([name, { summary }]) => tagged(bold(name), summary)),
    ".SH COMMANDS",
    ...sections,
    ".SH ENVIRONMENT",
    tagged(
      `${bold(VARIABLE_PREFIX)}${italic("SETTING")}`,
      `Every setting can be given by a variable: ${VARIABLE_PREFIX}MAX_SESSIONS sets what ` +
        "--max-sessions sets.",
    ),
    ".SH FILES",
    tagged(italic(system), "Settings of this machine."),
    tagged(italic("~/.config/remex/config.jsonc"), "Settings of the user."),
    tagged(italic(requirements), "What the administrator demands."),
    ".SH EXIT STATUS",
    tagged("0", "Success."),
    tagged("1", "It failed."),
    tagged("2", "It was called wrongly, or a setting is wrong."),
    paragraphs("Those of exec and bridge are told there."),
  ].join("\n") + "\n";
}

function commandSection(name: string, manual: CommandManual): string {
  const { synopsis, description, options, reference = [] } = manual;
  return [
    `.SS ${escaped(name)}`,
    `.B ${escaped(`remex ${synopsis}`)}`,
    paragraphs(description),
    ...options.map(optionText),
    paragraphs(manual.notes("help-all")),
    ...reference.map(({ label, meaning }) => tagged(bold(label), meaning)),
  ].filter((part) => part !== "").join("\n");
}

function aliasSection(name: string, summary: string): string {
  return `.SS ${escaped(name)}\n${line(`This is ${summary}.`)}`;
}

function optionText({ name, short, placeholder, meaning }: OptionHelp): string {
  const written = [short, name].filter((one) => one !== undefined).map(bold).join(", ");
  const value = placeholder === undefined ? "" : ` ${italic(placeholder)}`;
  return tagged(`${written}${value}`, meaning);
}

/** @param tag in roff already */
function tagged(tag: string, text: HelpRow["meaning"]): string {
  return `.TP\n${tag}\n${line(text)}`;
}

/**
 * A text of lines. Those that are indented stay by themselves, with what follows them in the same way;
 * an empty one parts paragraphs.
 */
function paragraphs(text: string): string {
  if (text.trim() === "") return "";
  const roff: string[] = [];
  let previous: "text" | "indented" | "empty" = "empty";
  for (const each of text.trimEnd().split("\n")) {
    const kind = each === "" ? "empty" : each.startsWith(" ") ? "indented" : "text";
    if (kind !== "empty") {
      if (previous === "empty") roff.push(".PP");
      else if (kind === "indented" || previous === "indented") roff.push(".br");
      roff.push(line(each));
    }
    previous = kind;
  }
  return roff.join("\n");
}

/** A line that is no request, whatever it begins with. */
function line(text: string): string {
  return escaped(text).replace(/^(?=[.'])/, "\\&").replace(
    /^ +/,
    (blanks) => "\\ ".repeat(blanks.length),
  );
}

function bold(text: string): string {
  return `\\fB${escaped(text)}\\fR`;
}

function italic(text: string): string {
  return `\\fI${escaped(text)}\\fR`;
}

/** A dash is a hyphen in roff, and a backslash begins an escape. */
function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("`", "\\(ga")
    .replaceAll("'", "\\(aq").replaceAll("~", "\\(ti").replaceAll("^", "\\(ha")
    .replaceAll("…", "...");
}
