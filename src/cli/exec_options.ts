import type { Configuration } from "../config/configuration.ts";
import { startingEnvironment } from "../os/environment.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import type { EndOfCommand } from "./exec_input.ts";
import type { SandboxProfile } from "./exec_sandbox.ts";
import { type NetworkRules, networkRules } from "./exec_network.ts";
import type { JobOptions } from "./exec_detach.ts";
import {
  type CommandManual,
  helpAskedFor,
  type HelpExtent,
  LAYERS_HELP,
  optionsHelp,
  settingsHelp,
} from "./command_manual.ts";
import {
  directoryOf,
  EXECUTOR_OPTIONS,
  executorOf,
  ownDirectory,
  type ReachSettings,
  reachSettings,
  workspaceDirectories,
} from "./executor_options.ts";
import type { ExecutorChoice } from "./reach_executor.ts";
import {
  commandLineLayer,
  CONFIG_OPTION,
  HELP_OPTIONS,
  type LayeredArguments,
  optionMilliseconds,
  parseOptions,
  settingOptions,
} from "./setting_options.ts";
import { UsageError } from "./usage_error.ts";

/** What `remex exec` is to do. */
export interface ExecOptions extends ReachSettings {
  readonly executor: ExecutorChoice;
  /** Undefined for a command that this program stays with. */
  readonly job: JobOptions | undefined;
  /** The file of settings that `--config` names. */
  readonly configFile: string | undefined;
  /** Undefined for the executor's own working directory. */
  readonly cwd: PathUri | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly tty: boolean;
  /** Whether the command reads this program's standard input. */
  readonly stdin: boolean;
  readonly sandbox: SandboxProfile | undefined;
  /** Whether `~.` leaves a terminal. */
  readonly escape: boolean;
  readonly until: EndOfCommand;
  /** How long the command may take to end after this program was asked to, in milliseconds. */
  readonly graceMs: number;
  /** Empty for the working directory. */
  readonly workspaces: readonly PathUri[];
  /** How long the command may run, in milliseconds. @default as long as it likes */
  readonly timeoutMs: number | undefined;
  /** Undefined where the profile's network stays as it is. */
  readonly network: NetworkRules | undefined;
  /** Whether to say at the end what was reached and denied. */
  readonly reportNetwork: boolean;
  readonly command: readonly [string, ...string[]];
}

/** How long an executor is to keep a job: over a night, a weekend, and some days off. */
const DEFAULT_RETENTION_SECONDS = 7 * 86_400;

/** The options of `remex exec` that are no settings. */
const OPTIONS = {
  stdio: {
    type: "boolean",
    default: false,
    meaning: "start an executor of its own on this machine",
  },
  ...EXECUTOR_OPTIONS,
  cwd: {
    type: "string",
    placeholder: "DIR",
    meaning: "working directory, an absolute path on the executor's machine (default: the " +
      "directory that the executor runs in)",
  },
  env: {
    type: "string",
    multiple: true,
    placeholder: "NAME[=VALUE]",
    meaning: "set a variable, without a value to the one it has here; may be repeated. Other " +
      "variables are the executor's, without those named like keys and tokens",
  },
  "allow-domain": {
    type: "string",
    multiple: true,
    placeholder: "PATTERN",
    meaning: "with --sandbox: let the command reach hosts by name, through the executor's proxy: " +
      "NAME, *.NAME for names below it, **.NAME for both, * for all public ones, or an address; " +
      "may be repeated",
  },
  "deny-domain": {
    type: "string",
    multiple: true,
    placeholder: "PATTERN",
    meaning: "hosts that --allow-domain does not allow; may be repeated",
    rare: true,
  },
  "report-network": {
    type: "boolean",
    default: false,
    meaning: "at the end report on standard error which hosts were reached and refused",
    rare: true,
  },
  tty: {
    type: "boolean",
    default: false,
    meaning: "run the command on a terminal; `~.` at the beginning of a line leaves it",
  },
  escape: {
    type: "boolean",
    default: true,
    meaning: "with --tty: pass `~.` on like any other keys",
    rare: true,
  },
  timeout: {
    type: "string",
    placeholder: "SECONDS",
    meaning: "seconds that the command may run: then it gets SIGTERM, and SIGKILL after the " +
      "executor's grace; the exit code is 124, as of timeout(1)",
  },
  until: {
    type: "string",
    default: "output",
    placeholder: "END",
    words: ["output", "exit"],
    meaning: "exit: end when the command ends; output: end when its background processes have " +
      "closed its output too, as ssh(1) does (default output)",
    rare: true,
  },
  detach: {
    type: "boolean",
    default: false,
    meaning:
      "print a name and leave the command to itself; `remex jobs`, `attach`, `logs`, `kill` and " +
      "`rm` take that name",
  },
  name: {
    type: "string",
    placeholder: "NAME",
    meaning: "with --detach: the name (default: the program's, with a number)",
  },
  retention: {
    type: "string",
    placeholder: "SECONDS",
    meaning:
      `with --detach: how long the executor keeps it and its output while nobody is attached, ` +
      `if it grants that (default ${DEFAULT_RETENTION_SECONDS}, a week)`,
    rare: true,
  },
  stdin: {
    type: "boolean",
    default: true,
    meaning: "do not read standard input; the command's is empty",
  },
  workspace: {
    type: "string",
    multiple: true,
    placeholder: "DIR",
    meaning: "directory that workspace-write may write to (default: the working directory); may " +
      "be repeated",
  },
  ...CONFIG_OPTION,
  ...HELP_OPTIONS,
} as const;

/** What is told of `remex exec`. */
export const EXEC_MANUAL: CommandManual = {
  synopsis: "exec (--url URL | --ssh HOST | --stdio | --via COMMAND) [options] -- COMMAND [ARG]...",
  description:
    "Runs a command on an executor as if it ran here: with its input, output, signals and exit code.",
  options: [...settingsHelp("exec"), ...optionsHelp(OPTIONS)],
  operands: { kind: "command" },
  notes: () =>
    `${LAYERS_HELP}
The exit code is the command's, or 128 + n if signal n ended it; 255 if the executor cannot be
reached or was lost; 127 if the program was not found, 126 if it could not be started; 125 if its
output cannot be written here; 124 if its time was up (--timeout). SIGTERM and SIGHUP are passed on
to the command, which is killed after the grace; a second Ctrl-C kills it at once.
`,
};

/** Reads the command line of `remex exec`. @throws {UsageError} naming the culprit and the fix */
export function parseExecArguments(args: string[]): LayeredArguments<ExecOptions> | HelpExtent {
  const separator = args.indexOf("--");
  const values = parse(separator < 0 ? args : args.slice(0, separator));
  const extent = helpAskedFor(values);
  if (extent !== undefined) return extent;
  const [program, ...rest] = separator < 0 ? [] : args.slice(separator + 1);
  if (program === undefined) throw new UsageError("no command given; it comes after `--`");
  return {
    commandLine: commandLineLayer(values),
    configFile: values.config,
    options: (configuration) => execOptions(values, [program, ...rest], configuration),
  };
}

function execOptions(
  values: ReturnType<typeof parse>,
  command: ExecOptions["command"],
  configuration: Configuration,
): ExecOptions {
  const executor = executorOf(values, configuration);
  const sandbox = configuration.get("sandbox");
  const workspaces = workspaceDirectories(values.workspace ?? [], executor);
  if (workspaces.length > 0 && sandbox === undefined) {
    throw new UsageError("--workspace is of use with --sandbox only");
  }
  const network = networkRules(values["allow-domain"] ?? [], values["deny-domain"] ?? []);
  if (network !== undefined && sandbox === undefined) {
    throw new UsageError("--allow-domain and --deny-domain are of use with --sandbox only");
  }
  const job = jobOptions(values, executor);
  return {
    executor,
    job,
    configFile: values.config,
    cwd: commandDirectory(values.cwd, executor),
    env: Object.fromEntries((values.env ?? []).flatMap(variable)),
    tty: values.tty,
    stdin: values.stdin && job === undefined,
    escape: values.tty && values.escape && Deno.stdin.isTerminal(),
    until: endOfCommand(values.until),
    graceMs: configuration.get("grace") * 1000,
    sandbox,
    workspaces,
    timeoutMs: optionMilliseconds("--timeout", values.timeout),
    network,
    reportNetwork: values["report-network"],
    ...reachSettings(configuration),
    command,
  };
}

function parse(args: string[]) {
  const options = { ...settingOptions("exec"), ...OPTIONS };
  return parseOptions("exec", args, options, "; the command comes after `--`");
}

/** An executor that this program starts has its working directory. */
function commandDirectory(
  path: string | undefined,
  executor: ExecutorChoice,
): PathUri | undefined {
  if (path !== undefined) return directoryOf("--cwd", path, executor);
  return executor.kind === "stdio" ? ownDirectory() : undefined;
}

function endOfCommand(word: string): EndOfCommand {
  if (word === "exit" || word === "output") return word;
  throw new UsageError(`--until: \`${word}\` is not exit or output`);
}

/** @throws {UsageError} for a command that cannot be left to itself */
function jobOptions(
  { detach, name, retention }: ReturnType<typeof parse>,
  executor: ExecutorChoice,
): JobOptions | undefined {
  if (!detach) {
    if (name !== undefined) throw new UsageError("--name is of use with --detach only");
    if (retention !== undefined) throw new UsageError("--retention is of use with --detach only");
    return undefined;
  }
  if (executor.kind === "stdio") {
    throw new UsageError(
      "--detach: the executor of --stdio ends with this program; use --url, --ssh or --via",
    );
  }
  const retentionMs = optionMilliseconds("--retention", retention);
  return { name, retentionMs: retentionMs ?? DEFAULT_RETENTION_SECONDS * 1000 };
}

function variable(text: string): [string, string][] {
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  if (name === "") throw new UsageError(`--env: \`${text}\` has no name`);
  if (equals >= 0) return [[name, text.slice(equals + 1)]];
  const value = startingEnvironment()[name];
  if (value?.isWellFormed() === false) {
    throw new UsageError(`--env: the value of ${name} is not UTF-8, and cannot be sent`);
  }
  return value === undefined ? [] : [[name, value]];
}
