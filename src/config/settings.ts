import { DEFAULT_RETAINED_BYTES } from "../process/event_log.ts";
import { DEFAULT_LIMITS, DEFAULT_MEMORY } from "../server/limits.ts";
import { MAX_MESSAGE_BYTES } from "../transport/transport.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../log/log.ts";
import { commandLimits } from "./command_limits.ts";
import {
  choice,
  inWords,
  listenAddress,
  path,
  seconds,
  sha256Digest,
  text,
  toggle,
  url,
  type ValueType,
  wholeNumber,
} from "./value_types.ts";

/** The commands that have settings. */
export type ConfiguredCommand = "serve" | "exec" | "cp" | "forward";

/** The mechanisms that can sandbox commands on Linux; `auto` is the first that works. */
export const SANDBOX_MECHANISMS = ["auto", "bubblewrap", "landlock"] as const;

/** One setting, which the command line, the environment or a file can give. */
export interface Setting<T> {
  readonly type: ValueType<NonNullable<T>>;
  /** The value of a setting that nothing gives. */
  readonly fallback: T;
  readonly commands: readonly ConfiguredCommand[];
  /** What it does, for people. */
  readonly meaning: string;
  /** Whether `--help` leaves it to `--help-all`. */
  readonly rare?: true;
}

/** One chunk of output has to fit. */
const MIN_RETAINED_BYTES = 256 * 1024;
const MAX_RETAINED_BYTES = 256 * 1024 * 1024;

const MAX_LIMIT = 1_000_000;

/** Bytes without which clients could not be served. */
export const MIN_MEMORY_BUDGET = 16 * 1024 * 1024;
/** A terabyte. */
const MAX_MEMORY_BUDGET = 2 ** 40;

/** Bytes below which commands with long arguments could not be started. */
export const MIN_MESSAGE_BYTES = 1024 * 1024;

/** A day; more would make the end of tokens meaningless. */
const MAX_CLOCK_SKEW_SECONDS = 86_400;

/** The permission profiles that come with the program. */
export const SANDBOX_PROFILES = ["read-only", "workspace-write", "danger-full-access"] as const;

const serve: readonly ConfiguredCommand[] = ["serve"];
const exec: readonly ConfiguredCommand[] = ["exec"];
/** The commands that reach an executor. */
const clients: readonly ConfiguredCommand[] = ["exec", "cp", "forward"];

/** A setting that always has a value. */
function setting<T extends string | number | boolean>(
  commands: readonly ConfiguredCommand[],
  type: ValueType<T>,
  fallback: NoInfer<T>,
  meaning: string,
): Setting<T> {
  return { commands, type, fallback, meaning };
}

/** A setting that need not have a value. */
function optional<T extends string>(
  commands: readonly ConfiguredCommand[],
  type: ValueType<T>,
  meaning: string,
): Setting<T | undefined> {
  return { commands, type, fallback: undefined, meaning };
}

/** A setting that few people need. */
function rare<T>(common: Setting<T>): Setting<T> {
  return { ...common, rare: true };
}

const limit = (number: number, meaning: string): Setting<number> =>
  rare(setting(serve, wholeNumber(1, MAX_LIMIT), number, meaning));

/** All settings by their names in files, from which options and variables derive theirs. */
const table = {
  listen: setting(
    serve,
    listenAddress(),
    "ws://127.0.0.1:0",
    "address to listen on: ws://HOST:PORT (port 0 takes a free one), unix:PATH or stdio",
  ),
  wsAuth: setting(
    serve,
    choice("MODE", ["none", "capability-token", "signed-bearer-token"]),
    "none",
    "require `Authorization: Bearer TOKEN` of clients: capability-token or signed-bearer-token",
  ),
  wsTokenFile: optional(serve, path(), "capability-token: file with the token"),
  wsTokenSha256: optional(
    serve,
    sha256Digest(),
    "capability-token: SHA-256 digest of the token, instead of its file",
  ),
  wsSharedSecretFile: optional(
    serve,
    path(),
    "signed-bearer-token: file with the secret, of 32 bytes or more, that signs JSON Web Tokens " +
      "(HS256); tokens must expire",
  ),
  wsIssuer: rare(optional(
    serve,
    text("ISSUER"),
    "signed-bearer-token: issuer that tokens must have",
  )),
  wsAudience: rare(optional(
    serve,
    text("AUDIENCE"),
    "signed-bearer-token: audience that tokens must have",
  )),
  wsMaxClockSkewSeconds: rare(setting(
    serve,
    wholeNumber(0, MAX_CLOCK_SKEW_SECONDS),
    30,
    "signed-bearer-token: seconds that clocks may differ",
  )),
  insecureNoAuth: setting(
    serve,
    toggle(),
    false,
    "let anyone who can connect run commands, also from other machines",
  ),
  tlsCert: optional(
    serve,
    path(),
    "file with the certificate chain (PEM); clients connect to wss://…",
  ),
  tlsKey: optional(serve, path(), "file with the certificate's private key (PEM)"),
  maxConnections: limit(
    DEFAULT_LIMITS.connections,
    "clients at the same time; others get status 503",
  ),
  maxSessions: limit(DEFAULT_LIMITS.sessions, "sessions, connected or waiting for their client"),
  maxProcesses: limit(DEFAULT_LIMITS.processes, "running processes of all sessions"),
  maxEndedProcesses: limit(
    DEFAULT_LIMITS.endedProcesses,
    "ended processes remembered for up to 30 s",
  ),
  concurrentRequests: limit(
    DEFAULT_LIMITS.concurrentRequests,
    "requests of a connection handled at the same time",
  ),
  commandLimits: optional(
    serve,
    commandLimits(),
    "what a command and all that it starts may take: memory (bytes, or 512MiB), processes (threads " +
      "count), time (seconds, or 10m); and what all commands may take together: totalMemory, " +
      "totalProcesses. Memory and processes need control groups",
  ),
  grace: setting(
    [...serve, ...exec],
    seconds("zero"),
    5,
    "seconds that commands get to end before being killed",
  ),
  pingInterval: rare(setting(
    serve,
    seconds("zero"),
    30,
    "seconds of a client's silence before it gets a ping, which keeps proxies from closing an " +
      "idle connection; after as many more without an answer it is disconnected; 0: no pings",
  )),
  retainBytes: rare(setting(
    serve,
    wholeNumber(MIN_RETAINED_BYTES, MAX_RETAINED_BYTES),
    DEFAULT_RETAINED_BYTES,
    "bytes of output kept of each process for clients that reconnect, at most 268435456; all " +
      "processes together keep a quarter of `memoryBudget`, and ended ones give way first",
  )),
  memoryBudget: rare(setting(
    serve,
    wholeNumber(MIN_MEMORY_BUDGET, MAX_MEMORY_BUDGET),
    DEFAULT_MEMORY.budgetBytes,
    "bytes of memory for clients: half for requests, half for incomplete messages, a quarter each " +
      "for retained output, unsent output and unread input; unless set, at most a quarter of the " +
      "machine's or container's memory",
  )),
  maxMessageBytes: rare(setting(
    serve,
    wholeNumber(MIN_MESSAGE_BYTES, MAX_MESSAGE_BYTES),
    DEFAULT_MEMORY.messageBytes,
    "bytes of the largest message that is read; unless set, at most a sixteenth of the memory",
  )),
  sessionRetention: setting(
    serve,
    seconds("above zero"),
    30,
    "seconds that a session waits for a client that lost its connection",
  ),
  maxSessionRetention: setting(
    serve,
    seconds("zero"),
    7 * 86_400,
    "the most seconds that a session with processes waits if its client asks for it, as a job's does",
  ),
  retainOnDisk: setting(
    serve,
    wholeNumber(0, MAX_MEMORY_BUDGET),
    2 ** 30,
    "bytes of output that all processes together keep on disk for clients that ask for it; 0: none",
  ),
  sandboxMechanism: setting(
    serve,
    choice("MECHANISM", SANDBOX_MECHANISMS),
    "auto",
    "mechanism that sandboxes commands on Linux: bubblewrap, which hides more, landlock, which " +
      "starts faster, or auto",
  ),
  forbidPortForwarding: setting(
    serve,
    toggle(),
    false,
    "do not let clients connect to ports of this machine's loopback address, as `remex forward` does",
  ),
  auditLog: optional(
    serve,
    path(),
    "file that gets a line of JSON when a command starts and when it ends",
  ),
  exitOnStdinClose: setting(serve, toggle(), false, "shut down when standard input ends"),
  exitWhenIdle: setting(
    serve,
    seconds("zero"),
    0,
    "shut down once there has been no client, no session and no process for so long; 0 for never",
  ),
  url: optional(clients, url(), "address of the executor: ws://HOST:PORT, wss://HOST or unix:PATH"),
  tokenFile: optional(clients, path(), "file with the token that the executor requires"),
  sandbox: optional(
    [...exec, "cp"],
    choice("PROFILE", SANDBOX_PROFILES),
    `permission profile of the command or the copy: ${inWords(SANDBOX_PROFILES)}`,
  ),
  connectTimeout: rare(
    setting(clients, seconds("above zero"), 10, "seconds to wait for the executor"),
  ),
  reconnectTimeout: rare(setting(
    clients,
    seconds("above zero"),
    25,
    "seconds to go on reconnecting after the connection broke",
  )),
  log: setting(
    [...serve, ...clients],
    choice("LEVEL", LOG_LEVELS),
    "warn",
    `level of the log: ${inWords(LOG_LEVELS)}`,
  ),
  logFormat: setting(
    [...serve, ...clients],
    choice("FORMAT", LOG_FORMATS),
    "text",
    `format of the log: ${inWords(LOG_FORMATS)}`,
  ),
};

/** The name of a setting, as files have it. */
export type SettingName = keyof typeof table;

/** The values that settings have. */
export type SettingValues = {
  readonly [Name in SettingName]: (typeof table)[Name] extends Setting<infer T> ? T : never;
};

/** The settings by name. */
export const SETTINGS: { readonly [Name in SettingName]: Setting<SettingValues[Name]> } = table;

/** Whether a text is the name of a setting. */
export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name);
}

/** The names of all settings, or of a command's, in the order of the table. */
export function settingNames(command?: ConfiguredCommand): SettingName[] {
  return Object.keys(SETTINGS).filter(isSettingName)
    .filter((name) => command === undefined || SETTINGS[name].commands.includes(command));
}

/** The option of the command line, without its dashes: `maxSessions` is `max-sessions`. */
export function optionOf(name: SettingName): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The variable of the environment: `maxSessions` is `REMEX_MAX_SESSIONS`. */
export function variableOf(name: SettingName): string {
  return VARIABLE_PREFIX + optionOf(name).replaceAll("-", "_").toUpperCase();
}

/** What the names of all variables begin with. */
export const VARIABLE_PREFIX = "REMEX_";
