/** Alphabets of base64 (RFC 4648, sections 4 and 5). */
export type Base64Alphabet = "base64" | "base64url";

/** Bytes as base64, with padding; in the alphabet for URLs without. */
export function toBase64(bytes: Uint8Array, alphabet: Base64Alphabet = "base64"): string {
  return bytes.toBase64({ alphabet, omitPadding: alphabet === "base64url" });
}

/**
 * The bytes of a base64 text.
 *
 * @throws {SyntaxError} for any other text
 */
export function fromBase64(
  text: string,
  alphabet: Base64Alphabet = "base64",
): Uint8Array<ArrayBuffer> {
  const lastChunkHandling = alphabet === "base64" ? "strict" : "loose";
  return Uint8Array.fromBase64(text, { alphabet, lastChunkHandling });
}
