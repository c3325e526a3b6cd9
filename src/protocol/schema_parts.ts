import * as z from "zod";

/**
 * A member that may be absent or null; both become undefined.
 *
 * The protocol treats the two alike, so that no code behind the boundary has to.
 */
export function optional<S extends z.ZodType>(schema: S) {
  return schema.nullish().transform((value): z.output<S> | undefined => value ?? undefined);
}

/** A member that may be absent or null and then has a value of its own. */
export function defaulted<S extends z.ZodType>(schema: S, value: z.output<S>) {
  return schema.nullish().transform((given): z.output<S> => given ?? value);
}

/** A whole number from 0 to 2^53 − 1. */
export const unsignedInteger = z.int().min(0);

/**
 * Bytes on the wire: standard base64 with padding (RFC 4648, section 4).
 *
 * The native decoder skips white space, which RFC 4648 section 3.3 forbids here; a text with any
 * is longer than the bytes it holds need.
 */
export const base64Bytes = z.string().transform((text, context): Uint8Array<ArrayBuffer> => {
  try {
    const bytes = Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
    if (text.length === Math.ceil(bytes.length / 3) * 4) return bytes;
  } catch {
    // Answered below, in words that name the rule instead of the decoder.
  }
  context.addIssue({ code: "custom", message: "is not standard base64 with padding" });
  return z.NEVER;
});
