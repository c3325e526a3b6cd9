import { fromBase64 } from "./base64.ts";
import { PathUri, PathUriError } from "./path_uri.ts";
import * as z from "zod/mini";

/**
 * A schema that is built when it is first used.
 *
 * Building all schemas of the protocol takes 10 ms, which a program that starts for one command
 * should not spend on those it never uses.
 */
export function lazy<S extends z.ZodMiniType>(build: () => S): z.ZodMiniLazy<S> {
  return z.lazy(build);
}

/**
 * A member that may be absent or null; both become undefined.
 *
 * The protocol treats the two alike, so that no code behind the boundary has to.
 */
export function optional<S extends z.ZodMiniType>(schema: S) {
  return z.pipe(
    z.nullish(schema),
    z.transform((value): z.output<S> | undefined => value ?? undefined),
  );
}

/** A member that may be absent or null and then has a value of its own. */
export function defaulted<S extends z.ZodMiniType>(schema: S, value: z.output<S>) {
  return z.pipe(z.nullish(schema), z.transform((given): z.output<S> => given ?? value));
}

/** A whole number from 0 to 2^53 − 1. */
export const unsignedInteger = z.int().check(z.gte(0));

/**
 * A whole number from 0 to 2^64 − 1 that limits something; clients write the greatest for no limit.
 * Past 2^53 it becomes a number nearby, which limits no less.
 */
export const limit = z.number().check(
  z.refine(Number.isInteger, "must be of type int"),
  z.gte(0),
  z.lte(2 ** 64),
);

/**
 * An object whose members are texts, whatever their names.
 *
 * The library's own record leaves out `__proto__`, which is a name like others to the system.
 */
export const textRecord = z.custom<Readonly<Record<string, string>>>().check((context) => {
  const { issues } = context;
  const value: unknown = context.value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    issues.push({ code: "invalid_type", expected: "record", input: value });
    return;
  }
  for (const [name, text] of Object.entries(value)) {
    if (typeof text === "string") continue;
    issues.push({ code: "invalid_type", expected: "string", input: text, path: [name] });
  }
});

/** Bytes on the wire; see {@linkcode decodeBase64}. */
export const base64Bytes = z.pipe(
  z.string(),
  z.transform((text, context): Uint8Array<ArrayBuffer> => {
    const bytes = decodeBase64(text);
    if (bytes !== undefined) return bytes;
    context.issues.push({
      code: "custom",
      message: "is not standard base64 with padding",
      input: text,
    });
    return z.NEVER;
  }),
);

/**
 * The bytes that a text stands for, or undefined if it is not standard base64 with padding
 * (RFC 4648, section 4).
 *
 * The native decoder skips white space, which RFC 4648 section 3.3 forbids here; a text with any
 * is longer than the bytes it holds need.
 */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const bytes = fromBase64(text);
    return text.length === Math.ceil(bytes.length / 3) * 4 ? bytes : undefined;
  } catch {
    // The caller says what the rule is, in words that do not name the decoder.
    return undefined;
  }
}

/** A member that holds a path URI; parsing it gives a {@linkcode PathUri}. */
export const pathUriSchema = z.pipe(
  z.string(),
  z.transform((text, context): PathUri => {
    try {
      return PathUri.parse(text);
    } catch (error) {
      if (!(error instanceof PathUriError)) throw error;
      context.issues.push({ code: "custom", message: error.message, input: text });
      return z.NEVER;
    }
  }),
);
