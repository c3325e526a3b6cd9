import { DEFAULT_RETAINED_BYTES } from "../process/event_log.ts";
import { DEFAULT_LIMITS, DEFAULT_MEMORY } from "../server/limits.ts";
import { MAX_MESSAGE_BYTES } from "../transport/transport.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../log/log.ts";
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
export type ConfiguredCommand = "serve" | "exec";

/** What can enclose commands on Linux; `auto` is the first that works. */
export const SANDBOX_MECHANISMS = ["auto", "bubblewrap", "landlock"] as const;

/** One thing that can be decided on the command line, in the environment, or in a file. */
export interface Setting<T> {
  readonly type: ValueType<NonNullable<T>>;
  /** The value where nothing is set. */
  readonly fallback: T;
  readonly commands: readonly ConfiguredCommand[];
  /** What it does, for people. */
  readonly meaning: string;
}

/** One chunk of output has to fit. */
const MIN_RETAINED_BYTES = 256 * 1024;
const MAX_RETAINED_BYTES = 256 * 1024 * 1024;

const MAX_LIMIT = 1_000_000;

/** What clients need to be served at all. */
export const MIN_MEMORY_BUDGET = 16 * 1024 * 1024;
/** A terabyte. */
const MAX_MEMORY_BUDGET = 2 ** 40;

/** Below that commands with long arguments could not be started. */
export const MIN_MESSAGE_BYTES = 1024 * 1024;

/** A day; more would make the end of tokens meaningless. */
const MAX_CLOCK_SKEW_SECONDS = 86_400;

/** The permission profiles that come with the program. */
export const SANDBOX_PROFILES = ["read-only", "workspace-write", "danger-full-access"] as const;

const serve: readonly ConfiguredCommand[] = ["serve"];
const exec: readonly ConfiguredCommand[] = ["exec"];

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

const limit = (number: number, meaning: string): Setting<number> =>
  setting(serve, wholeNumber(1, MAX_LIMIT), number, meaning);

/** All of them, by their names in files. What else calls them is derived from these names. */
const table = {
  listen: setting(
    serve,
    listenAddress(),
    "ws://127.0.0.1:0",
    "where to listen: ws://HOST:PORT (0 for any free port), unix:PATH or stdio",
  ),
  wsAuth: setting(
    serve,
    choice("MODE", ["none", "capability-token", "signed-bearer-token"]),
    "none",
    "let in only who sends `Authorization: Bearer TOKEN`; the mode is capability-token or " +
      "signed-bearer-token",
  ),
  wsTokenFile: optional(serve, path(), "capability-token: the file with the token"),
  wsTokenSha256: optional(
    serve,
    sha256Digest(),
    "capability-token: the token's SHA-256 digest instead",
  ),
  wsSharedSecretFile: optional(
    serve,
    path(),
    "signed-bearer-token: the file with the secret, 32 bytes or more, that JSON Web Tokens are " +
      "signed with (HS256); they must expire",
  ),
  wsIssuer: optional(
    serve,
    text("ISSUER"),
    "signed-bearer-token: who must have issued the token",
  ),
  wsAudience: optional(
    serve,
    text("AUDIENCE"),
    "signed-bearer-token: whom the token must be meant for",
  ),
  wsMaxClockSkewSeconds: setting(
    serve,
    wholeNumber(0, MAX_CLOCK_SKEW_SECONDS),
    30,
    "signed-bearer-token: how far clocks may be apart",
  ),
  insecureNoAuth: setting(
    serve,
    toggle(),
    false,
    "listen beyond this machine though anyone could run commands then",
  ),
  tlsCert: optional(
    serve,
    path(),
    "certificate chain in PEM format; clients then connect to wss://…",
  ),
  tlsKey: optional(serve, path(), "the certificate's private key in PEM format"),
  maxConnections: limit(
    DEFAULT_LIMITS.connections,
    "clients at the same time; others get status 503",
  ),
  maxSessions: limit(DEFAULT_LIMITS.sessions, "sessions, connected or waiting for their client"),
  maxProcesses: limit(DEFAULT_LIMITS.processes, "running processes of all sessions together"),
  maxEndedProcesses: limit(
    DEFAULT_LIMITS.endedProcesses,
    "ended processes of all sessions together that are remembered, for 30 s at the most",
  ),
  concurrentRequests: limit(
    DEFAULT_LIMITS.concurrentRequests,
    "requests of a connection worked on at the same time; more wait for their turn",
  ),
  grace: setting(
    [...serve, ...exec],
    seconds("zero"),
    5,
    "time for commands to end once they were told to, before they are killed",
  ),
  pingInterval: setting(
    serve,
    seconds("zero"),
    30,
    "how long a client may be silent before it is sent a ping, which keeps proxies from cutting an " +
      "idle connection; one that says nothing for as long again is taken for gone; 0 for no pings",
  ),
  retainBytes: setting(
    serve,
    wholeNumber(MIN_RETAINED_BYTES, MAX_RETAINED_BYTES),
    DEFAULT_RETAINED_BYTES,
    "output kept of each process for clients that lost their connection, at most 268435456; all " +
      "processes together keep a quarter of `memoryBudget`, and of those that ended less first",
  ),
  memoryBudget: setting(
    serve,
    wholeNumber(MIN_MEMORY_BUDGET, MAX_MEMORY_BUDGET),
    DEFAULT_MEMORY.budgetBytes,
    "bytes of memory for clients' sake: half for messages being read and worked on, a quarter " +
      "for output that is kept, a quarter for what is not sent yet; not set, it is a quarter of " +
      "the machine's or container's memory if that is less",
  ),
  maxMessageBytes: setting(
    serve,
    wholeNumber(MIN_MESSAGE_BYTES, MAX_MESSAGE_BYTES),
    DEFAULT_MEMORY.messageBytes,
    "the largest message that is read, in bytes; not set, it is a sixteenth of the memory if " +
      "that is less",
  ),
  sessionRetention: setting(
    serve,
    seconds("above zero"),
    30,
    "how long a session waits for a client that lost its connection",
  ),
  sandboxMechanism: setting(
    serve,
    choice("MECHANISM", SANDBOX_MECHANISMS),
    "auto",
    "what encloses commands on Linux: bubblewrap shows less of the machine, landlock starts in a " +
      "tenth of the time; auto takes bubblewrap where it works",
  ),
  exitOnStdinClose: setting(serve, toggle(), false, "shut down when standard input ends"),
  exitWhenIdle: setting(
    serve,
    seconds("zero"),
    0,
    "shut down once there has been no client, no session and no process for so long; 0 for never",
  ),
  url: optional(exec, url(), "the executor: ws://HOST:PORT, wss://HOST or unix:PATH"),
  tokenFile: optional(exec, path(), "authenticate with the token in this file"),
  sandbox: optional(
    exec,
    choice("PROFILE", SANDBOX_PROFILES),
    `what the command may do: ${inWords(SANDBOX_PROFILES)}`,
  ),
  connectTimeout: setting(exec, seconds("above zero"), 10, "how long to wait for the executor"),
  reconnectTimeout: setting(
    exec,
    seconds("above zero"),
    25,
    "how long to look for a connection that broke",
  ),
  log: setting(
    [...serve, ...exec],
    choice("LEVEL", LOG_LEVELS),
    "warn",
    `how much is logged on standard error: ${inWords(LOG_LEVELS)}`,
  ),
  logFormat: setting(
    [...serve, ...exec],
    choice("FORMAT", LOG_FORMATS),
    "text",
    `what lines of the log are: ${inWords(LOG_FORMATS)}`,
  ),
};

/** What a setting is called in files. */
export type SettingName = keyof typeof table;

/** The values that settings have. */
export type SettingValues = {
  readonly [Name in SettingName]: (typeof table)[Name] extends Setting<infer T> ? T : never;
};

/** What there is to know of each setting. */
export const SETTINGS: { readonly [Name in SettingName]: Setting<SettingValues[Name]> } = table;

/** Whether a text names a setting, as files do. */
export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name);
}

/** All names, or those that a command has, in the order of the table. */
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
