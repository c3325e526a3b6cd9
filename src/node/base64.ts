import { Buffer } from "node:buffer";

type Base64Alphabet = "base64" | "base64url";

/** What `src/protocol/base64.ts` does, without methods that Node has from version 25 on. */
export function toBase64(bytes: Uint8Array, alphabet: Base64Alphabet = "base64"): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(alphabet);
}

/** What `src/protocol/base64.ts` does; it takes the one way of writing these bytes alone. */
export function fromBase64(
  text: string,
  alphabet: Base64Alphabet = "base64",
): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.from(text, alphabet);
  if (bytes.toString(alphabet) !== text) throw new SyntaxError(`not ${alphabet}`);
  return new Uint8Array(bytes);
}
