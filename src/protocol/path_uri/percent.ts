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

const SLASH = 0x2f;
const DOT = 0x2e;
const COLON = 0x3a;

// Characters that a URL's path shows as they are and that mean nothing but themselves.
const PLAIN = new Uint8Array(128);
for (const character of "!$&'()*+,-./:;=@_~") PLAIN[character.charCodeAt(0)] = 1;
for (let code = 0x30; code <= 0x39; code++) PLAIN[code] = 1;
for (let code = 0x41; code <= 0x5a; code++) PLAIN[code] = PLAIN[code | 0x20] = 1;

/**
 * Whether the path that begins at `text[start]` with a `/` is its own canonical spelling, in a
 * POSIX path and in a URI alike: no escapes, no empty, `.` or `..` segments, no drive. Says no when
 * in doubt. Nearly every path is plain, and this costs a tenth of parsing a URL.
 */
export function hasPlainPath(text: string, start: number): boolean {
  if (text.charCodeAt(start) !== SLASH || text.charCodeAt(start + 2) === COLON) return false;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    // Beyond the table lies undefined.
    if (PLAIN[code] !== 1) return false;
    if (code === SLASH && startsSpecialSegment(text, at + 1)) return false;
  }
  return true;
}

/** Whether the segment at `text[at]` is empty with another after it, or may be `.` or `..`. */
function startsSpecialSegment(text: string, at: number): boolean {
  const first = text.charCodeAt(at);
  if (first === SLASH) return true;
  if (first !== DOT) return false;
  const second = text.charCodeAt(at + 1);
  return second === SLASH || second === DOT || at + 1 === text.length;
}
