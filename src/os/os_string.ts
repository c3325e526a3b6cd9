import { concat } from "@std/bytes/concat";

/**
 * Texts of the system as JavaScript has them. Names and values are bytes to Unix, nearly always UTF-8:
 * a byte that is not stands as a surrogate without a partner, U+DC00 and its value, as in Python
 * (PEP 383), and becomes that byte again.
 */

const ESCAPE = 0xdc00;
const FIRST_ESCAPED = 0x80;
const LAST_ESCAPED = 0xff;
const LENIENT = { ignoreBOM: true } as const;

/** The text of bytes that the system gives. */
export function decodeOsString(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    let text = "";
    for (let offset = 0; offset < bytes.length;) {
      const length = characterLength(bytes, offset);
      text += length === 0
        ? String.fromCharCode(ESCAPE + (bytes[offset] ?? 0))
        : new TextDecoder("utf-8", LENIENT).decode(bytes.subarray(offset, offset + length));
      offset += Math.max(length, 1);
    }
    return text;
  }
}

/** The bytes of a text for the system. */
export function encodeOsString(text: string): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  if (text.isWellFormed()) return encoder.encode(text);
  const parts = Array.from(text, (character) => {
    const escaped = character.charCodeAt(0) - ESCAPE;
    return character.length === 1 && isEscaped(escaped)
      ? Uint8Array.of(escaped)
      : encoder.encode(character);
  });
  return concat(parts);
}

/** The text for people, with U+FFFD for what is not UTF-8. */
export function readableText(text: string): string {
  if (text.isWellFormed()) return text;
  return new TextDecoder("utf-8", LENIENT).decode(encodeOsString(text));
}

/** Whether the system can have a text: bytes that are not UTF-8 are the only lone surrogates in it. */
export function isOsString(text: string): boolean {
  if (text.isWellFormed()) return !text.includes("\0");
  return Array.from(text).every((character) =>
    character !== "\0" &&
    (character.isWellFormed() || isEscaped(character.charCodeAt(0) - ESCAPE))
  );
}

function isEscaped(value: number): boolean {
  return value >= FIRST_ESCAPED && value <= LAST_ESCAPED;
}

/** Bytes of the character at an offset; 0 if there is none (RFC 3629, section 4). */
function characterLength(bytes: Uint8Array, offset: number): number {
  const first = bytes[offset] ?? 0;
  const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const character = bytes.subarray(offset, offset + length);
  // What is no character comes back as other bytes.
  const again = new TextEncoder().encode(new TextDecoder("utf-8", LENIENT).decode(character));
  return again.every((byte, index) => byte === character[index]) ? length : 0;
}

/** A text as C has it: UTF-8, or the bytes that stand in it, with a NUL at its end. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return encodeOsString(text + "\0");
}

/**
 * Lays texts out as C has argv and envp: pointers with a null one at their end.
 *
 * The texts stand behind the pointers in the same buffer, so that they live as long as it does.
 */
export function cStringArray(texts: readonly string[]): Uint8Array<ArrayBuffer> {
  const text = cString(texts.join("\0"));
  const pointersBytes = (texts.length + 1) * 8;
  // A small array made without a buffer of its own may still be moved by the garbage collector.
  const block = new Uint8Array(new ArrayBuffer(pointersBytes + text.length));
  block.set(text, pointersBytes);
  const address = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(block)));
  const pointers = new BigUint64Array(block.buffer, 0, texts.length);
  let offset = 0;
  for (let index = 0; index < texts.length; index++) {
    pointers[index] = address + BigInt(pointersBytes + offset);
    offset = text.indexOf(0, offset) + 1;
  }
  return block;
}
