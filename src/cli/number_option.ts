import { UsageError } from "./usage_error.ts";

/** Reads a whole number within bounds. @throws {UsageError} naming the option */
export function wholeNumber(option: string, text: string, least: number, most: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  if (number >= least && number <= most) return number;
  throw new UsageError(`${option}: \`${text}\` is not a number from ${least} to ${most}`);
}
