import { MAX_TIMER_MS } from "../protocol/timer.ts";
import { UsageError } from "./usage_error.ts";

/**
 * A time in seconds that an option gives, in milliseconds.
 *
 * @param mostMs the longest time that it may be. @default what a timer can wait
 * @throws {UsageError}
 */
export function optionMilliseconds(
  option: string,
  text: string | undefined,
  mostMs: number = MAX_TIMER_MS,
): number | undefined {
  if (text === undefined) return undefined;
  const milliseconds = /^\d+(\.\d+)?$/.test(text) ? Math.ceil(Number(text) * 1000) : 0;
  if (milliseconds > 0 && milliseconds <= mostMs) return milliseconds;
  throw new UsageError(
    `${option}: \`${text}\` is not a number of seconds above 0, at most ${mostMs / 1000}`,
  );
}
