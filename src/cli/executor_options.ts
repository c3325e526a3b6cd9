import type { Configuration } from "../config/configuration.ts";
import type { SettingName } from "../config/settings.ts";
import type { LogSettings } from "../log/log.ts";
import type { ExecutorChoice, ReachOptions } from "./reach_executor.ts";
import { SSH_OPTIONS, sshOptions, type SshValues } from "./ssh_options.ts";
import { UsageError } from "./usage_error.ts";

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
    throw new UsageError(
      "say where the executor is: one of --url URL, --stdio, --ssh HOST or --via COMMAND",
    );
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
