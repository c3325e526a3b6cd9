import { isAbsolute, join } from "@std/path";
import * as z from "zod/mini";
import { parseListenAddress } from "../transport/listen_address.ts";

/** How a kind of value is described, before its schema is built. */
interface ValueDescription<T> {
  /** What a value must be, to be read after "is not" and "must be". */
  readonly expected: string;
  /** How help calls the value; undefined for what is switched on or off. */
  readonly placeholder: string | undefined;
  /** Reads what a command line or an environment variable says; the result has to be accepted. */
  readonly fromText: (text: string) => unknown;
  /** What a value must be, for programs. Built when it is first asked for: most settings are not set. */
  readonly schema: () => z.ZodMiniType<T>;
  /** The value that a file's means there. @default the same */
  readonly inDirectory?: (value: T, directory: string) => T;
  /** What may be shown of a value. @default all of it */
  readonly shown?: (value: T) => string;
  /** Whether a wrong value could be a secret in the wrong place, and is not to be repeated. */
  readonly delicate?: boolean;
}

/** What a setting can be set to. */
export interface ValueType<T> extends ValueDescription<T> {
  /** Whether a value, of a file or of {@linkcode ValueDescription.fromText}, may be used. */
  readonly accepts: (value: unknown) => value is T;
}

/** A kind of value, whose schema is built once. */
export function valueType<T>(description: ValueDescription<T>): ValueType<T> {
  let built: z.ZodMiniType<T> | undefined;
  const schema = () => built ??= description.schema();
  return {
    ...description,
    schema,
    accepts: (value): value is T => schema().safeParse(value).success,
  };
}

/** A text that is not blank. */
export function text(placeholder: string): ValueType<string> {
  return valueType({
    expected: "a text that is not empty",
    placeholder,
    fromText: (given) => given,
    schema: notBlank,
  });
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

/** A path from the root. */
export function absolutePath(placeholder: string): ValueType<string> {
  return valueType({
    ...text(placeholder),
    expected: "an absolute path",
    schema: () => z.string().check(z.refine(isAbsolute)),
  });
}

/** One of some words, which may be given in capitals where they are not in quotes. */
export function choice<const T extends string>(
  placeholder: string,
  words: readonly T[],
): ValueType<T> {
  return valueType({
    expected: inWords(words),
    placeholder,
    fromText: (given) => given.toLowerCase(),
    schema: () => z.literal(words),
  });
}

/** A whole number from `least` to `most`. */
export function wholeNumber(least: number, most: number): ValueType<number> {
  return valueType({
    expected: `a number from ${least} to ${most}`,
    placeholder: "N",
    fromText: (given) => /^\d+$/.test(given) ? Number(given) : undefined,
    schema: () => z.int().check(z.gte(least), z.lte(most)),
  });
}

/** A number of seconds that may have decimals. */
export function seconds(least: "zero" | "above zero"): ValueType<number> {
  return valueType({
    expected: least === "zero" ? "a number of seconds" : "a number of seconds above 0",
    placeholder: "SECONDS",
    fromText: (given) => given.trim() === "" ? undefined : Number(given),
    schema: () => z.number().check(least === "zero" ? z.gte(0) : z.gt(0)),
  });
}

/** On or off. */
export function toggle(): ValueType<boolean> {
  return valueType({
    expected: "true or false",
    placeholder: undefined,
    fromText: (given) => given === "true" ? true : given === "false" ? false : undefined,
    schema: () => z.boolean(),
  });
}

/** Where an executor listens. */
export function listenAddress(): ValueType<string> {
  return valueType({
    ...text("ADDRESS"),
    expected: "ws://HOST:PORT, unix:PATH or stdio",
    schema: () => notBlank().check(z.refine(isListenAddress)),
  });
}

/** What `sha256sum` prints of a secret. */
export function sha256Digest(): ValueType<string> {
  return valueType({
    expected: "a SHA-256 digest of 64 hexadecimal digits, as `remex token --sha256 FILE` or " +
      "`sha256sum FILE` prints it",
    placeholder: "HEX",
    fromText: (given) => given,
    schema: () => z.string().check(z.regex(/^[0-9a-fA-F]{64}$/)),
    delicate: true,
  });
}

/** Some values of one kind. */
export function listOf<T>(type: ValueType<T>): ValueType<readonly T[]> {
  return valueType<readonly T[]>({
    expected: `a list, each ${type.expected}`,
    placeholder: "LIST",
    fromText: () => undefined,
    schema: () => z.array(type.schema()),
  });
}

/** Words as a sentence lists them. */
export function inWords(words: readonly string[], join = "or"): string {
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} ${join} ${last}`;
}

/** A text with something else than blanks in it. */
function notBlank() {
  return z.string().check(z.regex(/\S/));
}

function isListenAddress(value: string): boolean {
  try {
    parseListenAddress(value);
    return true;
  } catch {
    return false;
  }
}
