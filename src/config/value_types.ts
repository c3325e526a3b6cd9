import { isAbsolute, join } from "node:path";
import { parseListenAddress } from "../transport/listen_address.ts";

/** What a setting can be set to. */
export interface ValueType<T> {
  /** What a value must be, to be read after "is not" and "must be". */
  readonly expected: string;
  /** How help calls the value; undefined for what is switched on or off. */
  readonly placeholder: string | undefined;
  /** Reads what a command line or an environment variable says; the result has to be accepted. */
  readonly fromText: (text: string) => unknown;
  /** Whether a value, of a file or of {@linkcode fromText}, may be used. */
  readonly accepts: (value: unknown) => value is T;
  /** The value that a file's means there. @default the same */
  readonly inDirectory?: (value: T, directory: string) => T;
  /** What may be shown of a value. @default all of it */
  readonly shown?: (value: T) => string;
  /** Whether a wrong value could be a secret in the wrong place, and is not to be repeated. */
  readonly delicate?: boolean;
}

/** A text that is not blank. */
export function text(placeholder: string): ValueType<string> {
  return {
    expected: "a text that is not empty",
    placeholder,
    fromText: (given) => given,
    accepts: isText,
  };
}

/** A URL, which may say more than is to be shown. */
export function url(): ValueType<string> {
  return {
    ...text("URL"),
    shown: (value) => value.replace(/\/\/[^/@]*@/, "//…@").replace(/[?#].*$/, "?…"),
  };
}

/** A path; in a file it is relative to the file's directory. */
export function path(): ValueType<string> {
  return {
    ...text("PATH"),
    expected: "a path",
    inDirectory: (value, directory) => isAbsolute(value) ? value : join(directory, value),
  };
}

/** One of some words, which may be given in capitals where they are not in quotes. */
export function choice<const T extends string>(
  placeholder: string,
  words: readonly T[],
): ValueType<T> {
  return {
    expected: inWords(words),
    placeholder,
    fromText: (given) => given.toLowerCase(),
    accepts: (value): value is T => words.some((word) => word === value),
  };
}

/** A whole number from `least` to `most`. */
export function wholeNumber(least: number, most: number): ValueType<number> {
  return {
    expected: `a number from ${least} to ${most}`,
    placeholder: "N",
    fromText: (given) => /^\d+$/.test(given) ? Number(given) : undefined,
    accepts: (value): value is number =>
      typeof value === "number" && Number.isInteger(value) && value >= least && value <= most,
  };
}

/** A number of seconds that may have decimals. */
export function seconds(least: "zero" | "above zero"): ValueType<number> {
  return {
    expected: least === "zero" ? "a number of seconds" : "a number of seconds above 0",
    placeholder: "SECONDS",
    fromText: (given) => given.trim() === "" ? undefined : Number(given),
    accepts: (value): value is number =>
      typeof value === "number" && Number.isFinite(value) &&
      (least === "zero" ? value >= 0 : value > 0),
  };
}

/** On or off. */
export function toggle(): ValueType<boolean> {
  return {
    expected: "true or false",
    placeholder: undefined,
    fromText: (given) => given === "true" ? true : given === "false" ? false : undefined,
    accepts: (value): value is boolean => typeof value === "boolean",
  };
}

/** Where an executor listens. */
export function listenAddress(): ValueType<string> {
  return {
    ...text("ADDRESS"),
    expected: "ws://HOST:PORT, unix:PATH or stdio",
    accepts: (value): value is string => isText(value) && isListenAddress(value),
  };
}

/** What `sha256sum` prints of a secret. */
export function sha256Digest(): ValueType<string> {
  return {
    expected: "a SHA-256 digest of 64 hexadecimal digits, as `remex token --sha256 FILE` or " +
      "`sha256sum FILE` prints it",
    placeholder: "HEX",
    fromText: (given) => given,
    accepts: (value): value is string => typeof value === "string" && /^[\da-f]{64}$/i.test(value),
    delicate: true,
  };
}

/** Some values of one kind. */
export function listOf<T>(type: ValueType<T>): ValueType<readonly T[]> {
  return {
    expected: `a list, each ${type.expected}`,
    placeholder: "LIST",
    fromText: () => undefined,
    accepts: (value): value is readonly T[] => Array.isArray(value) && value.every(type.accepts),
  };
}

/** Words as a sentence lists them. */
export function inWords(words: readonly string[], join = "or"): string {
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} ${join} ${last}`;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.trim() !== "";
}

function isListenAddress(value: string): boolean {
  try {
    parseListenAddress(value);
    return true;
  } catch {
    return false;
  }
}
