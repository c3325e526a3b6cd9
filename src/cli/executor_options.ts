import type { Configuration } from "../config/configuration.ts";
import type { SettingName } from "../config/settings.ts";
import type { LogSettings } from "../log/log.ts";
import type { ExecutorChoice, ReachOptions } from "./reach_executor.ts";
import { UsageError } from "./usage_error.ts";
import { parseSshDestination } from "../ssh/destination.ts";
import type { SshConnector, SshOptions } from "../ssh/ssh_connector.ts";
import { writeErrorLine } from "../log/standard_error.ts";
import { progressText } from "./progress_line.ts";
import { say } from "./standard_streams.ts";
import { workingDirectory } from "../os/environment.ts";
import { PathUri } from "../protocol/path_uri.ts";

/** The options of every command that reaches a host by ssh. */
export const SSH_OPTIONS = {
  ssh: {
    type: "string",
    placeholder: "HOST",
    meaning: "reach [USER@]HOST[:PORT] by ssh, which puts remex there if it is not",
  },
  "ssh-command": {
    type: "string",
    placeholder: "COMMAND",
    meaning: "with --ssh: how ssh is called, as `ssh -F FILE` (default ssh)",
    rare: true,
  },
  binary: {
    type: "string",
    placeholder: "FILE",
    meaning: "with --ssh: the remex for the host's platform",
    rare: true,
  },
} as const;

/** How long it may take to put this program onto a host, in milliseconds. */
export const UPLOAD_TIMEOUT_MS = 3_600_000;

/** The values of these options. */
export type SshValues = { readonly [Name in keyof typeof SSH_OPTIONS]?: string | undefined };

/** What the options say; undefined without `--ssh`. @throws {UsageError} */
export function sshOptions(values: SshValues): SshOptions | undefined {
  const { ssh, "ssh-command": sshCommand, binary } = values;
  if (ssh === undefined) {
    if (sshCommand !== undefined) throw new UsageError("--ssh-command is of use with --ssh only");
    if (binary !== undefined) throw new UsageError("--binary is of use with --ssh only");
    return undefined;
  }
  if (sshCommand === "") throw new UsageError("--ssh-command names no command");
  try {
    return { destination: parseSshDestination(ssh), sshCommand, binary, ...progressOnTerminal() };
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(`--ssh: ${error.message}`);
    throw error;
  }
}

/**
 * What reaches the host.
 *
 * @param connectTimeoutMs how long ssh may take to connect, in milliseconds
 */
export async function sshConnector(
  options: SshOptions,
  connectTimeoutMs: number,
): Promise<SshConnector> {
  const { SshConnector } = await import("../ssh/ssh_connector.ts");
  return new SshConnector({ ...options, connectTimeout: connectTimeoutMs / 1000 });
}

/** Shows how much has been sent, where somebody looks. */
function progressOnTerminal(): Pick<SshOptions, "onProgress" | "onNotice"> {
  if (!Deno.stderr.isTerminal()) return {};
  return {
    onNotice: (text) => say(text),
    onProgress: (sent, all) => {
      writeErrorLine(`\r${progressText(sent, all)}`, sent === all ? "\r\n" : "");
    },
  };
}

/** The options of every command that reaches an executor, besides the setting `url`. */
export const EXECUTOR_OPTIONS = {
  via: {
    type: "string",
    placeholder: "COMMAND",
    meaning: "reach the executor through this command of the shell, which speaks the protocol on " +
      "its standard input and output, as `docker exec -i NAME remex serve --listen stdio` or " +
      "`… remex bridge unix:PATH` does; it is run again when it breaks",
  },
  ...SSH_OPTIONS,
} as const;

/** The values of these options, and whether an executor is to be started for the command. */
export interface ExecutorValues extends SshValues {
  readonly stdio?: boolean;
  readonly via?: string | undefined;
}

/**
 * The executor that a command line or the settings name. The command line outranks the settings, but
 * must not name two.
 *
 * @param values with `stdio` if the command has that option
 * @throws {UsageError} if there is none, or more than one
 */
export function executorOf(
  values: ExecutorValues,
  configuration: Configuration,
): ExecutorChoice {
  const { stdio, via } = values;
  const ssh = sshOptions(values);
  const url = configuration.get("url");
  const path = configuration.get("tokenFile");
  const onCommandLine = (name: SettingName) => configuration.origin(name).layer === "command line";
  const others: ExecutorChoice[] = [];
  if (stdio === true) others.push({ kind: "stdio" });
  if (via !== undefined) others.push({ kind: "via", command: via });
  if (ssh !== undefined) others.push({ kind: "ssh", options: ssh });
  const [other] = others;
  if (
    others.length + Number(onCommandLine("url")) > 1 || other === undefined && url === undefined
  ) {
    const ways = ["--url URL", ...stdio === undefined ? [] : ["--stdio"], "--ssh HOST"];
    throw new UsageError(`say where the executor is: one of ${ways.join(", ")} or --via COMMAND`);
  }
  if (other !== undefined || url === undefined) {
    if (onCommandLine("tokenFile")) throw new UsageError("--token-file is of use with --url only");
    return other ?? { kind: "stdio" };
  }
  const tokenFile = path === undefined
    ? undefined
    : { path, setting: configuration.nameOf("tokenFile") };
  return { kind: "url", url, setting: configuration.nameOf("url"), tokenFile };
}

/** What settings say of every command that reaches an executor. */
export interface ReachSettings
  extends Pick<ReachOptions, "connectTimeoutMs" | "reconnectTimeoutMs"> {
  readonly log: LogSettings;
}

/** Reads these settings. */
export function reachSettings(configuration: Configuration): ReachSettings {
  return {
    connectTimeoutMs: configuration.get("connectTimeout") * 1000,
    reconnectTimeoutMs: configuration.get("reconnectTimeout") * 1000,
    log: { level: configuration.get("log"), format: configuration.get("logFormat") },
  };
}

/**
 * The path that a text names on a machine of whatever system; undefined for one that is not absolute.
 *
 * @throws {PathUriError} for what is no path
 */
export function absolutePath(text: string): PathUri | undefined {
  if (text.startsWith("file:")) return PathUri.parse(text);
  if (text.startsWith("/")) return PathUri.fromNativePath(text, "posix");
  if (/^[A-Za-z]:[\\/]|^\\\\/.test(text)) return PathUri.fromNativePath(text, "windows");
  return undefined;
}

/** This program's working directory. @throws {UsageError} when it was removed */
export function ownDirectory(): PathUri {
  const path = workingDirectory();
  if (path === undefined) throw new UsageError("the working directory is gone; use --cwd");
  return PathUri.fromNativePath(path);
}

/** A directory on the executor's machine that an option names. @throws {UsageError} */
export function directoryOf(option: string, path: string, executor: ExecutorChoice): PathUri {
  try {
    const absolute = absolutePath(path);
    if (absolute !== undefined) return absolute;
    // It is this machine.
    if (executor.kind === "stdio") return ownDirectory().join(path);
  } catch (error) {
    throw new UsageError(`${option}: ${error instanceof Error ? error.message : error}`);
  }
  throw new UsageError(`${option}: \`${path}\` is not an absolute path on the executor's machine`);
}

/** The directories that `--workspace` names. @throws {UsageError} */
export function workspaceDirectories(
  paths: readonly string[],
  executor: ExecutorChoice,
): PathUri[] {
  return paths.map((path) => directoryOf("--workspace", path, executor));
}
