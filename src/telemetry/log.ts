/** How much a message matters; each level includes those before it. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;

export type LogLevel = typeof LOG_LEVELS[number];

const DEFAULT_LEVEL: LogLevel = "warn";

let threshold: number | undefined;

/** Whether a text names a level. */
export function isLogLevel(text: string): text is LogLevel {
  return LOG_LEVELS.some((level) => level === text);
}

/**
 * Writes one line to stderr if `REMEX_LOG` asks for its level. The environment is looked at once.
 *
 * Control characters become spaces, so that what a client sends cannot pass for lines of its own.
 * Never to be given what users run: no command, path, environment or output.
 */
export function log(level: LogLevel, message: string): void {
  threshold ??= LOG_LEVELS.indexOf(configuredLevel());
  if (LOG_LEVELS.indexOf(level) > threshold) return;
  console.error(`${new Date().toISOString()} ${level} ${message.replaceAll(/\p{Cc}/gu, " ")}`);
}

function configuredLevel(): LogLevel {
  const wanted = Deno.env.get("REMEX_LOG")?.toLowerCase() ?? DEFAULT_LEVEL;
  return isLogLevel(wanted) ? wanted : DEFAULT_LEVEL;
}
