import { writeErrorLine } from "./standard_error.ts";

/**
 * What a line of the log may tell besides its message. The list is closed, so that nothing of what
 * users run gets in by accident: no command, path, id, environment or output has a place here.
 */
interface LogFields {
  /** The address that clients connect to, as whoever started the executor gave it. */
  readonly address?: string;
  /** A client's address. */
  readonly peer?: string;
  /** How a client is connected. */
  readonly transport?: "websocket" | "unix" | "stdio";
  /** Which connection since the start, counted from 1. */
  readonly connection?: number;
  /** How many clients are connected. */
  readonly connections?: number;
  /** How many sessions there are, connected or waiting for their client. */
  readonly sessions?: number;
  /** How many processes run. */
  readonly processes?: number;
  /** Why, in words that are the executor's or the operating system's own. */
  readonly reason?: string;
  /** A method of the protocol. */
  readonly method?: string;
  /** A status of HTTP. */
  readonly status?: number;
  /** The option of the command line that is meant. */
  readonly option?: string;
  /** The limit that was reached. */
  readonly limit?: number;
  /** What telemetry is about: metrics or traces. */
  readonly signal?: string;
  /** The class of an unexpected error; its message might name what users run. */
  readonly error?: string;
  /** Where in this program an unexpected error came up. */
  readonly at?: string;
  /** How many lines like this one were left out since the last. */
  readonly omitted?: number;
}

/** Tells an unexpected error without its message. */
export function errorFields(error: unknown): Pick<LogFields, "error" | "at"> {
  if (!(error instanceof Error)) return { error: typeof error };
  const at = error.stack?.match(/([^/\s(]+:\d+:\d+)\)?$/m)?.[1];
  return { error: error.name, ...at === undefined ? {} : { at } };
}

/** How much a message matters; each level includes those before it. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;

export type LogLevel = typeof LOG_LEVELS[number];

/** What lines look like: words for people, or one JSON object each for programs. */
export const LOG_FORMATS = ["text", "json"] as const;

export type LogFormat = typeof LOG_FORMATS[number];

/** How much is logged, and how. */
export interface LogSettings {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

const DEFAULTS: LogSettings = { level: "warn", format: "text" };

/** Whether a text names a level. */
export function isLogLevel(text: string): text is LogLevel {
  return LOG_LEVELS.some((level) => level === text);
}

/** Whether a text names a format. */
export function isLogFormat(text: string): text is LogFormat {
  return LOG_FORMATS.some((format) => format === text);
}

/** How long lines of one kind are left out after one was written, in milliseconds. */
const SELDOM_MS = 60_000;

/** What has been decided about the log, and what it has left out. */
class Log {
  #settings: LogSettings | undefined;
  /** When lines of a kind were last written, and how many were left out since. */
  readonly #lastWritten = new Map<string, { at: number; omitted: number }>();

  configure(wanted: Partial<LogSettings>): void {
    this.#settings = { ...this.#settings ?? environmentSettings(), ...wanted };
  }

  write(level: LogLevel, message: string, fields: LogFields): void {
    const settings = this.#settings ??= environmentSettings();
    if (LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf(settings.level)) return;
    const time = new Date().toISOString();
    writeErrorLine(
      settings.format === "json"
        ? JSON.stringify({ time, level, message, ...fields })
        : textLine(`${time} ${level} ${message}`, fields),
    );
  }

  writeSeldom(level: LogLevel, message: string, fields: LogFields, kind: string): void {
    const now = performance.now();
    const last = this.#lastWritten.get(kind);
    if (last !== undefined && now - last.at < SELDOM_MS) {
      last.omitted++;
      return;
    }
    this.#lastWritten.set(kind, { at: now, omitted: 0 });
    this.write(level, message, last?.omitted ? { ...fields, omitted: last.omitted } : fields);
  }
}

/** The program's: there is one standard error. */
const programLog = new Log();

/** Decides how much is logged from now on, and how, instead of the environment. */
export function configureLog(wanted: Partial<LogSettings>): void {
  programLog.configure(wanted);
}

/**
 * Writes one line to standard error if `REMEX_LOG` asks for its level, as `REMEX_LOG_FORMAT` says.
 * The environment is read once.
 *
 * Never to be given what users run: no command, path, environment or output. What changes from line
 * to line belongs into the fields; the message is fixed.
 */
export function log(level: LogLevel, message: string, fields: LogFields = {}): void {
  programLog.write(level, message, fields);
}

/**
 * Does the same for what somebody else can bring about as often as they like: a line of a kind at
 * most once a minute, with how many were left out.
 *
 * @param kind what makes lines alike, of a small number
 */
export function logSeldom(
  level: LogLevel,
  message: string,
  fields: LogFields = {},
  kind: string = `${message} ${fields.reason ?? ""}`,
): void {
  programLog.writeSeldom(level, message, fields, kind);
}

/** Control characters become spaces, so that no text can pass for lines of its own. */
function textLine(start: string, fields: LogFields): string {
  const told = Object.entries(fields).map(([name, value]) => ` ${name}=${textValue(value)}`);
  return `${start}${told.join("")}`.replaceAll(/\p{Cc}/gu, " ");
}

/** A value with blanks or quotes is quoted as in JSON. */
function textValue(value: string | number): string {
  return typeof value === "string" && /^$|[\s"=]/.test(value)
    ? JSON.stringify(value)
    : String(value);
}

function environmentSettings(): LogSettings {
  // Not by `get`, which fails for what is not UTF-8: that is told where settings are read.
  const { REMEX_LOG, REMEX_LOG_FORMAT } = Deno.env.toObject();
  const level = REMEX_LOG?.toLowerCase() ?? DEFAULTS.level;
  const format = REMEX_LOG_FORMAT?.toLowerCase() ?? DEFAULTS.format;
  return {
    level: isLogLevel(level) ? level : DEFAULTS.level,
    format: isLogFormat(format) ? format : DEFAULTS.format,
  };
}
