import {
  EXECUTOR_OPTIONS,
  executorOf,
  type ReachSettings,
  reachSettings,
} from "./executor_options.ts";
import {
  type CommandManual,
  helpAskedFor,
  type HelpExtent,
  LAYERS_HELP,
  optionsHelp,
  settingsHelp,
} from "./command_manual.ts";
import type { ExecutorChoice } from "./reach_executor.ts";
import {
  commandLineLayer,
  CONFIG_OPTION,
  HELP_OPTIONS,
  type LayeredArguments,
  parseOptionsAndNames,
  settingOptions,
} from "./setting_options.ts";
import { UsageError } from "./usage_error.ts";

/** A port here that leads to one there. */
export interface ForwardedPort {
  /** The address here that it is of. */
  readonly hostname: string;
  /** 0 for any that is free. */
  readonly here: number;
  readonly there: number;
}

/** What `remex forward` is to do. */
export interface ForwardOptions extends ReachSettings {
  readonly executor: ExecutorChoice;
  readonly ports: readonly ForwardedPort[];
  readonly configFile: string | undefined;
}

/** The options of `remex forward` that are no settings. */
const OPTIONS = {
  ...EXECUTOR_OPTIONS,
  bind: {
    type: "string",
    default: "127.0.0.1",
    placeholder: "ADDRESS",
    meaning: "address of this machine to listen on (default 127.0.0.1, which no other machine " +
      "reaches)",
  },
  ...CONFIG_OPTION,
  ...HELP_OPTIONS,
} as const;

/** What is told of `remex forward`. */
export const FORWARD_MANUAL: CommandManual = {
  synopsis: "forward (--url URL | --ssh HOST | --via COMMAND) [options] [LOCAL:]REMOTE...",
  description:
    `Reaches ports of the loopback address of an executor's machine at ports of this one, over the
executor's own connection. LOCAL is a port here, 0 for any that is free (default: the same as
there); REMOTE is a port there. Prints the address of each, one a line, when it is ready; ends at
Ctrl-C or SIGTERM.`,
  options: [...settingsHelp("forward"), ...optionsHelp(OPTIONS)],
  operands: { kind: "anything" },
  notes: () =>
    `${LAYERS_HELP}
The exit code is 0 when it was told to end, 1 if a port cannot be forwarded, 255 if the executor is
out of reach or lost. When its connection breaks, so do the forwarded ones; new ones wait for it.
`,
};

/** Reads the command line of `remex forward`. @throws {UsageError} naming the culprit and the fix */
export function parseForwardArguments(
  args: string[],
): LayeredArguments<ForwardOptions> | HelpExtent {
  const { values, positionals } = parse(args);
  const extent = helpAskedFor(values);
  if (extent !== undefined) return extent;
  if (positionals.length === 0) throw new UsageError("give a port, as 8080:80");
  const ports = positionals.map((text) => forwardedPort(text, values.bind));
  return {
    commandLine: commandLineLayer(values),
    configFile: values.config,
    options: (configuration) => ({
      executor: executorOf(values, configuration),
      ports,
      configFile: values.config,
      ...reachSettings(configuration),
    }),
  };
}

function parse(args: string[]) {
  return parseOptionsAndNames("forward", args, { ...settingOptions("forward"), ...OPTIONS });
}

const MAX_PORT = 65535;

function forwardedPort(text: string, hostname: string): ForwardedPort {
  const [, local, remote] = /^(?:(\d{1,5}):)?(\d{1,5})$/.exec(text) ?? [];
  const there = Number(remote);
  const here = local === undefined ? there : Number(local);
  if (there >= 1 && there <= MAX_PORT && here <= MAX_PORT) return { hostname, here, there };
  throw new UsageError(`\`${text}\` is not LOCAL:REMOTE, two ports, or one`);
}
