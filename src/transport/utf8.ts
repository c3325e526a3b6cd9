const encoder = new TextEncoder();
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** What the lenient decoder puts in place of bytes that are none of UTF-8. */
const REPLACEMENT = "\ufffd";

/**
 * The text of UTF-8 bytes, or undefined if they are not UTF-8. The strict decoder takes four times as
 * long, and is asked only about what may not be UTF-8.
 */
export function utf8Text(bytes: Uint8Array | ArrayBuffer): string | undefined {
  const text = lenient.decode(bytes);
  if (!text.includes(REPLACEMENT)) return text;
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * The UTF-8 of a text, after so many bytes that are free, and before others. In place it is written much
 * faster than `TextEncoder.encode` gives a new array, which then had to be copied.
 */
export function utf8Bytes(
  text: string,
  { before = 0, after = 0 }: { readonly before?: number; readonly after?: number },
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(before + text.length + after);
  // Any other character than those of ASCII takes more bytes than it has units: there is no room then.
  const { read } = encoder.encodeInto(text, bytes.subarray(before, before + text.length));
  if (read === text.length) return bytes;
  const encoded = encoder.encode(text);
  const longer = new Uint8Array(before + encoded.length + after);
  longer.set(encoded, before);
  return longer;
}
