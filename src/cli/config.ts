import type { Configuration } from "../config/configuration.ts";
import { loadForExecutor } from "../config/load.ts";
import { type Origin, positionText } from "../config/origin.ts";
import { hostPlaces } from "../config/places.ts";
import {
  MAXIMUM,
  MAXIMUM_MEANING,
  requirementNames,
  REQUIREMENTS,
  type Requirements,
} from "../config/requirements.ts";
import { settingNames, variableOf } from "../config/settings.ts";
import {
  type CommandManual,
  helpAskedFor,
  type HelpExtent,
  optionHelp,
  optionsHelp,
  paragraph,
  usageText,
} from "./command_manual.ts";
import { serveOptions } from "./serve_options.ts";
import {
  commandLineLayer,
  CONFIG_OPTION,
  HELP_OPTIONS,
  parseOptions,
  settingOptions,
} from "./setting_options.ts";
import { print } from "./standard_streams.ts";

/** `remex config`: prints the settings and the requirements. Returns the exit code. */
export async function config(args: string[]): Promise<number> {
  const values = parse(args);
  const extent = helpAskedFor(values);
  if (extent !== undefined) {
    await print(usageText(CONFIG_MANUAL, extent));
    return 0;
  }
  const { configuration, requirements, unknownVariables } = await loadForExecutor({
    commandLine: commandLineLayer(values),
    configFile: values.config,
  });
  // Settings that contradict each other are refused here as at a start.
  serveOptions(configuration);
  if (values.json) {
    const report = {
      settings: settingsReport(configuration),
      requirements: requirements === undefined ? null : requirementsReport(requirements),
      unknownVariables,
    };
    await print(`${JSON.stringify(report, null, 2)}\n`);
    return 0;
  }
  const ignored = unknownVariables.map((name) => `${name} in the environment is no setting\n`);
  await print(settingsTable(configuration) + requirementsTable(requirements) + ignored.join(""));
  return 0;
}

/** The options of `remex config` that are no settings. */
const OPTIONS = {
  json: { type: "boolean", default: false, meaning: "print the report as JSON" },
  ...CONFIG_OPTION,
  ...HELP_OPTIONS,
} as const;

function parse(args: string[]) {
  return parseOptions("config", args, { ...settingOptions(), ...OPTIONS });
}

/** What is told of `remex config`. */
export const CONFIG_MANUAL: CommandManual = {
  synopsis: "config [--json] [options of serve and exec]",
  description:
    `Prints every setting with its value and where it was set, and the administrator's requirements. The
exit code is 2 if an executor would not start with them; the files that they name are not read.`,
  options: optionsHelp(OPTIONS),
  otherOptions: settingNames().map(optionHelp),
  notes: settingsNotes,
  reference: [
    ...requirementNames().map((name) => ({ label: name, meaning: REQUIREMENTS[name].meaning })),
    { label: MAXIMUM, meaning: MAXIMUM_MEANING },
  ].map((row) => ({ ...row, rare: true })),
};

function settingsNotes(extent: HelpExtent): string {
  const { system, requirements } = hostPlaces({});
  return `Settings come from these places; a later one outranks an earlier one:
  1. the built-in defaults
  2. ${system}
  3. $XDG_CONFIG_HOME/remex/config.jsonc, by default ~/.config/remex/config.jsonc
  4. the file that --config names
  5. environment variables: ${variableOf("maxSessions")} sets maxSessions
  6. the command line: --max-sessions sets maxSessions
A file is one JSON object, with comments allowed; relative paths in it start from its directory.
\`remex serve --help-all\` and \`remex exec --help-all\` tell what each setting means.

The administrator's requirements are in ${requirements}; no setting loosens them:
${extent === "help" ? requirementsInBrief() : ""}`;
}

/** All has to fit on one screen. */
function requirementsInBrief(): string {
  const names = [...requirementNames(), MAXIMUM].join(", ");
  return `${paragraph(`${names}; \`remex config --help-all\` tells what each demands`)}\n`;
}

function settingsReport(configuration: Configuration) {
  return Object.fromEntries(
    settingNames().map((name) => [
      name,
      { value: configuration.shown(name) ?? null, ...configuration.origin(name) },
    ]),
  );
}

function requirementsReport(requirements: Requirements) {
  const demanded = requirementNames().filter((name) => requirements.get(name) !== undefined);
  const bounds = [...requirements.maximum]
    .map(([name, { most, position }]) => [name, { value: most, ...position }]);
  return {
    ...Object.fromEntries(demanded.map((name) => [
      name,
      { value: requirements.get(name), ...requirements.position(name) },
    ])),
    ...bounds.length === 0 ? {} : { [MAXIMUM]: Object.fromEntries(bounds) },
  };
}

function settingsTable(configuration: Configuration): string {
  return tableOf(
    settingNames().map((name) => [
      name,
      String(configuration.shown(name) ?? "-"),
      originText(configuration.origin(name)),
    ]),
  );
}

function originText(origin: Origin): string {
  switch (origin.layer) {
    case "built in":
      return origin.layer;
    case "memory":
      return `a share of ${Math.floor(origin.bytes / 2 ** 20)} MiB of memory`;
    case "environment":
      return `${origin.variable} (${origin.layer})`;
    case "command line":
      return `${origin.option} (${origin.layer})`;
    default:
      return `${positionText(origin)} (${origin.layer})`;
  }
}

function requirementsTable(requirements: Requirements | undefined): string {
  if (requirements === undefined) return "\nno requirements\n";
  const rows = requirementNames().flatMap((name) => {
    const position = requirements.position(name);
    if (position === undefined) return [];
    return [[name, JSON.stringify(requirements.get(name)), positionText(position)]];
  });
  const bounds = [...requirements.maximum].map(([name, { most, position }]) => [
    `${MAXIMUM} ${name}`,
    String(most),
    positionText(position),
  ]);
  return `\nrequirements\n${tableOf([...rows, ...bounds])}`;
}

/** Columns as wide as what is in them. */
function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd())
    .map((line) => `${line}\n`)
    .join("");
}
