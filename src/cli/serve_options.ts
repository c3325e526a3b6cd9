import { parseCommandLimits } from "../config/command_limits.ts";
import type { Configuration } from "../config/configuration.ts";
import type { SandboxBounds } from "../sandbox/policy/bounds.ts";
import type { LinuxMechanism } from "../sandbox/mechanism.ts";
import type { Limits, MemoryLimits } from "../server/limits.ts";
import type { CommandLimits } from "../process/command_limits.ts";
import type { LogSettings } from "../log/log.ts";
import { isLoopback, type ListenAddress, parseListenAddress } from "../transport/listen_address.ts";
import { type AuthenticationOptions, authenticationOptions } from "./authentication_options.ts";
import {
  type CommandManual,
  helpAskedFor,
  type HelpExtent,
  LAYERS_HELP,
  optionsHelp,
  settingsHelp,
} from "./command_manual.ts";
import {
  commandLineLayer,
  CONFIG_OPTION,
  HELP_OPTIONS,
  type LayeredArguments,
  parseOptions,
  settingOptions,
} from "./setting_options.ts";
import type { TlsOptions } from "./tls_files.ts";
import { UsageError } from "./usage_error.ts";

/** What `remex serve` is to do. */
export interface ServeOptions {
  readonly listen: ListenAddress;
  /** How long commands may take to end when the executor shuts down, in milliseconds. */
  readonly graceMs: number;
  /** How long a session without a connection lives, in milliseconds. */
  readonly sessionRetentionMs: number;
  /** The same, the most that clients may ask for, in milliseconds. */
  readonly maxSessionRetentionMs: number;
  /** Output of all processes kept on disk for clients that ask for it, in bytes. */
  readonly retainOnDiskBytes: number;
  readonly exitOnStdinClose: boolean;
  /** How long it may have nothing to do before it ends, in milliseconds; 0 for ever. */
  readonly exitWhenIdleMs: number;
  readonly forbidPortForwarding: boolean;
  /** How long a client may be silent before it is sent a ping, in milliseconds; 0 for never. */
  readonly pingIntervalMs: number;
  /** Output kept of each process, in bytes. */
  readonly retainedBytes: number;
  readonly authentication: AuthenticationOptions;
  readonly tls: TlsOptions | undefined;
  readonly limits: Limits;
  /** What commands may take. @default as much as they want */
  readonly commandLimits?: CommandLimits | undefined;
  /** What sandboxes commands on Linux. */
  readonly sandboxMechanism: LinuxMechanism;
  readonly memory: Omit<MemoryLimits, "totalBytes">;
  /** What sandboxes have to be. @default anything */
  readonly bounds?: SandboxBounds | undefined;
  readonly log: LogSettings;
  /** Where starts and ends of commands are written; undefined for nowhere. */
  readonly auditLog: string | undefined;
}

/** The options of `remex serve` that are no settings. */
const OPTIONS = { ...CONFIG_OPTION, ...HELP_OPTIONS } as const;

/** What is told of `remex serve`. */
export const SERVE_MANUAL: CommandManual = {
  synopsis: "serve [options]",
  description: "Runs commands for a client that speaks the exec-server protocol.",
  options: [...settingsHelp("serve"), ...optionsHelp(OPTIONS)],
  notes: () =>
    `${LAYERS_HELP}--no-exit-on-stdin-close, and no- before any other switch, turns it off.

The first line on standard output is the URL to connect to; logs go to standard error.
`,
};

/**
 * Reads the command line of `remex serve`.
 *
 * @throws {UsageError | ConfigurationError} naming the culprit and the fix
 */
export function parseServeArguments(args: string[]): LayeredArguments<ServeOptions> | HelpExtent {
  const values = parse(args);
  const extent = helpAskedFor(values);
  if (extent !== undefined) return extent;
  return {
    commandLine: commandLineLayer(values),
    configFile: values.config,
    options: serveOptions,
  };
}

function parse(args: string[]) {
  return parseOptions("serve", args, { ...settingOptions("serve"), ...OPTIONS });
}

/** Reads the settings of `remex serve`. @throws {ConfigurationError} naming the culprit and the fix */
export function serveOptions(configuration: Configuration): ServeOptions {
  const listen = parseListenAddress(configuration.get("listen"));
  const authentication = authenticationFor(listen, configuration);
  refuseExposure(listen, authentication, configuration);
  return {
    listen,
    graceMs: configuration.get("grace") * 1000,
    sessionRetentionMs: configuration.get("sessionRetention") * 1000,
    maxSessionRetentionMs: configuration.get("maxSessionRetention") * 1000,
    retainOnDiskBytes: configuration.get("retainOnDisk"),
    exitOnStdinClose: configuration.get("exitOnStdinClose"),
    exitWhenIdleMs: configuration.get("exitWhenIdle") * 1000,
    pingIntervalMs: configuration.get("pingInterval") * 1000,
    retainedBytes: configuration.get("retainBytes"),
    authentication,
    tls: tlsOptions(listen, configuration),
    sandboxMechanism: configuration.get("sandboxMechanism"),
    forbidPortForwarding: configuration.get("forbidPortForwarding"),
    limits: {
      connections: configuration.get("maxConnections"),
      sessions: configuration.get("maxSessions"),
      processes: configuration.get("maxProcesses"),
      endedProcesses: configuration.get("maxEndedProcesses"),
      concurrentRequests: configuration.get("concurrentRequests"),
    },
    commandLimits: parseCommandLimits(configuration.get("commandLimits") ?? ""),
    memory: {
      budgetBytes: configuration.get("memoryBudget"),
      messageBytes: configuration.get("maxMessageBytes"),
    },
    log: { level: configuration.get("log"), format: configuration.get("logFormat") },
    auditLog: configuration.get("auditLog"),
  };
}

/** On standard input and output there is one client, who is not asked for a token. */
function authenticationFor(
  listen: ListenAddress,
  configuration: Configuration,
): AuthenticationOptions {
  const authentication = authenticationOptions(configuration);
  if (authentication.kind === "none" || listen.kind !== "stdio") return authentication;
  if (configuration.outranks("listen", "wsAuth")) return { kind: "none" };
  throw configuration.wrong(
    "wsAuth",
    " has no effect with --listen stdio; leave one of them out",
  );
}

function refuseExposure(
  listen: ListenAddress,
  authentication: AuthenticationOptions,
  configuration: Configuration,
): void {
  const insecure = configuration.get("insecureNoAuth");
  if (authentication.kind !== "none") {
    if (!insecure || configuration.outranks("wsAuth", "insecureNoAuth")) return;
    const names = [configuration.nameOf("wsAuth"), configuration.nameOf("insecureNoAuth")];
    throw new UsageError(`${names.join(" and ")} contradict each other; give one`);
  }
  if (listen.kind !== "websocket" || isLoopback(listen.hostname) || insecure) return;
  throw configuration.wrong(
    "listen",
    `: refusing to listen on ${listen.hostname} without authentication: anyone who can reach it ` +
      "could run commands; give --ws-auth, use a loopback address or unix:PATH, or give " +
      "--insecure-no-auth",
  );
}

function tlsOptions(
  listen: ListenAddress,
  configuration: Configuration,
): TlsOptions | undefined {
  const [cert, key] = [configuration.get("tlsCert"), configuration.get("tlsKey")];
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined) throw configuration.wrong("tlsKey", " needs --tls-cert");
  if (key === undefined) throw configuration.wrong("tlsCert", " needs --tls-key");
  if (listen.kind !== "websocket") return unencrypted(configuration);
  return {
    cert: { path: cert, setting: configuration.nameOf("tlsCert") },
    key: { path: key, setting: configuration.nameOf("tlsKey") },
  };
}

function unencrypted(configuration: Configuration): undefined {
  const culprit = (["tlsCert", "tlsKey"] as const)
    .find((name) => !configuration.outranks("listen", name));
  if (culprit === undefined) return;
  throw configuration.wrong(
    culprit,
    " has no effect here: only ws://HOST:PORT can be encrypted",
  );
}
