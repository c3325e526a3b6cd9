import { DEFAULT_LIMITS, type Limits } from "../server/limits.ts";
import { wholeNumber } from "./number_option.ts";

const option = (limit: number) => ({ type: "string", default: String(limit) }) as const;

/** The options that set limits, for `parseArgs`. */
export const LIMIT_FLAGS = {
  "max-connections": option(DEFAULT_LIMITS.connections),
  "max-sessions": option(DEFAULT_LIMITS.sessions),
  "max-processes": option(DEFAULT_LIMITS.processes),
  "concurrent-requests": option(DEFAULT_LIMITS.concurrentRequests),
};

const MOST = 1_000_000;

/** Reads the options. @throws {UsageError} naming the culprit */
export function limitOptions(
  flags: { readonly [Name in keyof typeof LIMIT_FLAGS]: string },
): Limits {
  const limit = (name: keyof typeof LIMIT_FLAGS) => wholeNumber(`--${name}`, flags[name], 1, MOST);
  return {
    connections: limit("max-connections"),
    sessions: limit("max-sessions"),
    processes: limit("max-processes"),
    concurrentRequests: limit("concurrent-requests"),
  };
}
