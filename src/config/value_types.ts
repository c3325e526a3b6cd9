import { isAbsolute, join } from "@std/path";
import * as z from "zod/mini";
import { parseListenAddress } from "../transport/listen_address.ts";

/** The description of a kind of value, before its schema is built. */
interface ValueDescription<T> {
  /** What a value must be, to be read after "is not" and "must be". */
  readonly expected: string;
  /** The name of the value in help; undefined for a switch. */
  readonly placeholder: string | undefined;
  /** All values, where they are a few words. */
  readonly words?: readonly string[];
  /** Converts the text of an option or a variable; the result is validated afterwards. */
  readonly fromText: (text: string) => unknown;
  /** The schema, built when it is first needed, as most settings are not set. */
  readonly schema: () => z.ZodMiniType<T>;
  /** Resolves a value of a file in that directory. @default unchanged */
  readonly inDirectory?: (value: T, directory: string) => T;
  /** The value without its secret parts. @default unchanged */
  readonly shown?: (value: T) => string;
  /** Whether a wrong value may be a misplaced secret, which messages must not repeat. */
  readonly delicate?: boolean;
}

/** The type of a setting's value. */
export interface ValueType<T> extends ValueDescription<T> {
  /** Whether a value is valid. */
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

/** A URL, shown without its credentials and query. */
export function url(): ValueType<string> {
  return {
    ...text("URL"),
    shown: (value) => value.replace(/\/\/[^/@]*@/, "//…@").replace(/[?#].*$/, "?…"),
  };
}

/** A path, which in a file is relative to the file's directory. */
export function path(): ValueType<string> {
  return {
    ...text("PATH"),
    expected: "a path",
    inDirectory: (value, directory) => isAbsolute(value) ? value : join(directory, value),
  };
}

/** An absolute path. */
export function absolutePath(placeholder: string): ValueType<string> {
  return valueType({
    ...text(placeholder),
    expected: "an absolute path",
    schema: () => z.string().check(z.refine(isAbsolute)),
  });
}

/** One of some words; options and variables may give it in any case. */
export function choice<const T extends string>(
  placeholder: string,
  words: readonly T[],
): ValueType<T> {
  return valueType({
    expected: inWords(words),
    placeholder,
    words,
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

/** An address to listen on. */
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

/** Words as the list in a sentence. */
export function inWords(words: readonly string[], join = "or"): string {
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} ${join} ${last}`;
}

/** A text that is not blank. */
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
