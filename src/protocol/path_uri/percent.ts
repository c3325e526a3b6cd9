/**
 * Percent-encoding between path bytes and the text of a URI's path.
 *
 * @see https://url.spec.whatwg.org/#percent-encoded-bytes
 */

const PERCENT = 0x25;

// What the path of a parsed URL never shows raw, and `%` and `\`, which would not be read back as
// themselves.
const ENCODED_PRINTABLE = '"#%<>?\\`{}';

const SPELLINGS: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  const raw = byte > 0x20 && byte < 0x7f && !ENCODED_PRINTABLE.includes(character);
  return raw ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
});

// A byte order mark at the start of a name is part of the name.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Spells bytes as URI path text. `/` stays as it is, so a whole path can be given. */
export function encodePathBytes(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += SPELLINGS[byte];
  return text;
}

/** Spells text as URI path text, by way of its UTF-8. */
export function encodePathText(text: string): string {
  return encodePathBytes(encoder.encode(text));
}

/** The bytes that URI path text stands for; a `%` without two hex digits after it is itself. */
export function decodePathBytes(text: string): Uint8Array {
  const source = encoder.encode(text);
  const bytes = new Uint8Array(source.length);
  let length = 0;
  for (let at = 0; at < source.length; at++) {
    const escaped = source[at] === PERCENT
      ? hexValue(source[at + 1]) * 16 + hexValue(source[at + 2])
      : NaN;
    if (Number.isNaN(escaped)) {
      bytes[length++] = source[at] ?? 0;
    } else {
      bytes[length++] = escaped;
      at += 2;
    }
  }
  return bytes.subarray(0, length);
}

/** The text that URI path text stands for, or undefined where its bytes are not UTF-8. */
export function decodePathText(text: string): string | undefined {
  return text.includes("%") ? decodeUtf8(decodePathBytes(text)) : text;
}

/** Bytes as text, or undefined where they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

function hexValue(byte: number | undefined): number {
  if (byte === undefined) return NaN;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : NaN;
}
