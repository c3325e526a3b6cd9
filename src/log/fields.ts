/**
 * What a line of the log may tell besides its message. The list is closed, so that nothing of what
 * users run gets in by accident: no command, path, id, environment or output has a place here.
 */
export interface LogFields {
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
