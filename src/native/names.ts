/** How bytes that are not UTF-8 appear in texts: 0x80 as U+DC80, and so on. */
const ESCAPE = 0xdc00;
const ESCAPED = /[\udc80-\udcff]/u;

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lossy = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * The text that stands for a name or path of the system's, which may be any bytes: each byte that is
 * not part of UTF-8 is an unpaired surrogate, from which {@linkcode encodeName} gets it back.
 *
 * So paths that nobody can spell are joined and compared like all others. Python does the same.
 *
 * @see https://peps.python.org/pep-0383/
 */
export function decodeName(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return decodeEscaping(bytes);
  }
}

/** The bytes that a text stands for; see {@linkcode decodeName}. */
export function encodeName(text: string): Uint8Array<ArrayBuffer> {
  if (text.isWellFormed()) return encoder.encode(text);
  const parts = Array.from(
    text,
    (character) =>
      ESCAPED.test(character)
        ? Uint8Array.of(character.charCodeAt(0) - ESCAPE)
        : encoder.encode(character),
  );
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let length = 0;
  for (const part of parts) {
    bytes.set(part, length);
    length += part.length;
  }
  return bytes;
}

/** The text for people, with U+FFFD for what is not UTF-8. */
export function readableName(name: string): string {
  return name.isWellFormed() ? name : lossy.decode(encodeName(name));
}

/** A character takes four bytes at the most. */
function decodeEscaping(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const character = characterAt(bytes, at);
    if (character === undefined) {
      text += String.fromCharCode(ESCAPE + (bytes[at++] ?? 0));
    } else {
      text += character.text;
      at += character.length;
    }
  }
  return text;
}

function characterAt(
  bytes: Uint8Array,
  at: number,
): { readonly text: string; readonly length: number } | undefined {
  const first = bytes[at] ?? 0;
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  try {
    return { text: strict.decode(bytes.subarray(at, at + length)), length };
  } catch {
    return undefined;
  }
}
