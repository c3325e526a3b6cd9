import type { Configuration } from "../config/configuration.ts";
import { workingDirectory } from "../os/environment.ts";
import { hostConvention, PathUri, PathUriError } from "../protocol/path_uri.ts";
import {
  absolutePath,
  EXECUTOR_OPTIONS,
  executorOf,
  type ReachSettings,
  reachSettings,
  sshOptions,
  type SshValues,
} from "./executor_options.ts";
import type { SandboxProfile } from "./exec_sandbox.ts";
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

/** One side of a copy. */
export type CpSide =
  | { readonly kind: "stream" }
  | { readonly kind: "here"; readonly path: PathUri; readonly spelled: SpelledPath }
  | {
    readonly kind: "there";
    readonly executor: ExecutorChoice;
    /** What messages call the executor. */
    readonly name: string;
    /** Absolute, relative to the executor's directory, or below `~`; or a path URI. */
    readonly path: string;
    readonly spelled: SpelledPath;
  };

/** What the end of a path as it is written says. */
export interface SpelledPath {
  /** It ends in a slash. */
  readonly directory: boolean;
  /** It ends in `.` or `..`: what is in the directory is meant. */
  readonly contents: boolean;
}

/** What `remex cp` is to do. */
export interface CpOptions extends ReachSettings {
  readonly from: CpSide;
  readonly to: CpSide;
  readonly again: boolean;
  readonly progress: boolean;
  readonly sandbox: SandboxProfile | undefined;
  /** Empty for the executor's working directory. */
  readonly workspaces: readonly string[];
  readonly configFile: string | undefined;
}

/** The options of `remex cp` that are no settings. */
const OPTIONS = {
  ...EXECUTOR_OPTIONS,
  again: {
    type: "boolean",
    default: false,
    meaning: "copy also files that are there already with the same size, time and permissions",
  },
  progress: {
    type: "boolean",
    default: true,
    meaning: "do not show on a terminal how far the copy is",
  },
  workspace: {
    type: "string",
    multiple: true,
    placeholder: "DIR",
    meaning: "directory that workspace-write may write to (default: the executor's working " +
      "directory); may be repeated",
  },
  ...CONFIG_OPTION,
  ...HELP_OPTIONS,
} as const;

/** What is told of `remex cp`. */
export const CP_MANUAL: CommandManual = {
  synopsis: "cp [options] SOURCE DESTINATION",
  description:
    `Copies a file, or a directory with all that is in it, with permissions and times. Either side is

  PATH                 here; one with a colon before the first slash is written ./PATH
  [USER@]HOST:PATH     on a host that ssh leads to; ssh://HOST:PORT/PATH with a port
  ws://HOST:PORT/PATH  on the machine of an executor, or wss://
  :PATH                on the machine of the executor that --url, --ssh or --via names
  -                    standard input or output

A relative PATH begins in the home directory of ssh, or where the executor runs; ~ is the home.
SOURCE/. is what is in the directory. A copy that broke off goes on with the same command.`,
  options: [...settingsHelp("cp"), ...optionsHelp(OPTIONS)],
  operands: { kind: "file" },
  notes: () =>
    `${LAYERS_HELP}
The exit code is 0, 1 if something could not be copied, 255 if an executor is out of reach or lost.
`,
};

/** Reads the command line of `remex cp`. @throws {UsageError} naming the culprit and the fix */
export function parseCpArguments(args: string[]): LayeredArguments<CpOptions> | HelpExtent {
  const { values, positionals } = parse(args);
  const extent = helpAskedFor(values);
  if (extent !== undefined) return extent;
  const [from, to, ...more] = positionals;
  if (from === undefined || to === undefined || more.length > 0) {
    throw new UsageError("give two: what is copied, and where to");
  }
  return {
    commandLine: commandLineLayer(values),
    configFile: values.config,
    options: (configuration) => cpOptions(values, [from, to], configuration),
  };
}

function parse(args: string[]) {
  return parseOptionsAndNames("cp", args, { ...settingOptions("cp"), ...OPTIONS });
}

type Values = ReturnType<typeof parse>["values"];

function cpOptions(
  values: Values,
  sides: readonly [string, string],
  configuration: Configuration,
): CpOptions {
  const [from, to] = [side(sides[0], values, configuration), side(sides[1], values, configuration)];
  const named = values.ssh !== undefined || values.via !== undefined;
  if (named && !sides.some((text) => text.startsWith(":"))) {
    throw new UsageError("--ssh and --via name the executor of a side that is written :PATH");
  }
  const sshIsMeant = [from, to].some((one) => one.kind === "there" && one.executor.kind === "ssh");
  if (!sshIsMeant) refuseSshOptions(values);
  if (from.kind !== "there" && to.kind !== "there") {
    throw new UsageError(
      "neither side is on another machine; `remex cp --help` tells how to write it",
    );
  }
  const sandbox = configuration.get("sandbox");
  if (values.workspace !== undefined && sandbox === undefined) {
    throw new UsageError("--workspace is of use with --sandbox only");
  }
  return {
    from,
    to,
    again: values.again,
    progress: values.progress && Deno.stderr.isTerminal(),
    sandbox,
    workspaces: values.workspace ?? [],
    configFile: values.config,
    ...reachSettings(configuration),
  };
}

function refuseSshOptions({ "ssh-command": sshCommand, binary }: SshValues): void {
  if (sshCommand !== undefined) throw new UsageError("--ssh-command is of use with ssh only");
  if (binary !== undefined) throw new UsageError("--binary is of use with ssh only");
}

/** Reads one side. @throws {UsageError} for what is none */
function side(text: string, values: Values, configuration: Configuration): CpSide {
  if (text === "") throw new UsageError("a side is empty; this directory is written .");
  if (text === "-") return { kind: "stream" };
  if (text.startsWith(":")) {
    const { ssh, via } = values;
    const executor = executorOf(values, configuration);
    const name = ssh ?? (via === undefined ? configuration.get("url") : undefined) ?? "";
    return there(executor, name, text.slice(1));
  }
  if (/^wss?:\/\//.test(text)) return atUrl(text, configuration);
  if (text.startsWith("ssh://")) {
    const [, host = "", path = ""] = /^ssh:\/\/([^/]*)(.*)$/.exec(text) ?? [];
    return there(throughSsh(text, host, values), host, path.replace(/^\/(?=~)/, ""));
  }
  const [, host, path = ""] =
    /^((?:[^/:[\]]*@)?(?:\[[^/[\]]*\]|[^/:[\]]+)):(?!\/\/)(.*)$/s.exec(text) ?? [];
  if (host === undefined || isHere(text)) return here(text);
  if (host === "unix") {
    throw new UsageError(`the executor at ${text} is named by --url, and the path by :PATH`);
  }
  return there(throughSsh(text, host, values), host, path);
}

function throughSsh(text: string, host: string, values: Values): ExecutorChoice {
  try {
    const options = sshOptions({ ...values, ssh: host });
    if (options !== undefined) return { kind: "ssh", options };
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`\`${text}\`: ${error.message}`);
    throw error;
  }
  throw new UsageError(`\`${text}\` names no host`);
}

function atUrl(text: string, configuration: Configuration): CpSide {
  const url = URL.parse(text);
  if (url === null || url.search !== "" || url.hash !== "") {
    throw new UsageError(`\`${text}\` is not ws://HOST:PORT/PATH`);
  }
  const path = configuration.get("tokenFile");
  const tokenFile = path === undefined
    ? undefined
    : { path, setting: configuration.nameOf("tokenFile") };
  const address = `${url.protocol}//${url.host}`;
  const executor: ExecutorChoice = { kind: "url", url: address, setting: text, tokenFile };
  return there(executor, address, `file://${url.pathname}`);
}

function there(executor: ExecutorChoice, name: string, path: string): CpSide {
  return { kind: "there", executor, name, path, spelled: spelledPath(path) };
}

/** What this program's standard streams are called as files. */
const STANDARD_STREAM = /^\/(dev\/(std(in|out|err)|fd\/\d+)|proc\/(thread-)?self\/fd\/\d+)$/;

function here(text: string): CpSide {
  // A copy gets its name once it is complete: it would replace the file that the stream leads to.
  if (STANDARD_STREAM.test(text)) {
    throw new UsageError(`\`${text}\`: standard input and output are written -`);
  }
  return { kind: "here", path: localPath(text), spelled: spelledPath(text) };
}

function isHere(text: string): boolean {
  return text.startsWith("file://") ||
    hostConvention() === "windows" && /^[A-Za-z]:[\\/]/.test(text);
}

/** @throws {UsageError} */
function localPath(text: string): PathUri {
  try {
    if (text.startsWith("file://")) return PathUri.parse(text);
    const directory = workingDirectory();
    if (directory !== undefined) return PathUri.fromNativePath(directory).join(text);
    return PathUri.fromNativePath(text);
  } catch (error) {
    if (error instanceof PathUriError) throw new UsageError(`\`${text}\`: ${error.message}`);
    throw error;
  }
}

/**
 * The path that a text names on an executor's machine.
 *
 * @param cwd where relative ones begin
 * @throws {UsageError} for what is no path there
 */
export function remotePath(
  text: string,
  { cwd, home }: { readonly cwd: PathUri | undefined; readonly home: PathUri | undefined },
): PathUri {
  try {
    const [, below] = /^~(?:\/(.*))?$/s.exec(text) ?? [];
    if (text === "~" || below !== undefined) {
      if (home !== undefined) return home.join(below ?? "");
      throw new UsageError("this executor does not tell its home directory");
    }
    const path = absolutePath(text) ?? cwd?.join(text);
    if (path !== undefined) return path;
  } catch (error) {
    if (error instanceof PathUriError) throw new UsageError(`\`${text}\`: ${error.message}`);
    throw error;
  }
  throw new UsageError("this executor does not tell its working directory; give a whole path");
}

function spelledPath(text: string): SpelledPath {
  return {
    directory: text === "" || /(^|\/)\.{0,2}$/.test(text),
    contents: text === "" || text === "~" || /(^|\/)\.{1,2}\/*$/.test(text),
  };
}
