import { concat } from "@std/bytes/concat";
import type { OutgoingMessage, TransportObserver } from "./transport.ts";

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
 * Tells an observer of texts of messages that come as bytes.
 *
 * @param what is said of one that is not UTF-8
 */
export function asTexts(observer: TransportObserver, what: string): TransportObserver<Uint8Array> {
  return {
    message: (bytes) => {
      const text = utf8Text(bytes);
      if (text === undefined) observer.unreadable(`${what} that is not UTF-8`);
      else observer.message(text);
    },
    unreadable: (reason) => observer.unreadable(reason),
    drained: () => observer.drained(),
    closed: (reason) => observer.closed(reason),
  };
}

/**
 * The UTF-8 of a message, after so many bytes that are free, and before others. In place it is written
 * much faster than `TextEncoder.encode` gives a new array, which then had to be copied.
 */
export function utf8Bytes(
  message: OutgoingMessage,
  { before = 0, after = 0 }: { readonly before?: number; readonly after?: number },
): Uint8Array<ArrayBuffer> {
  const parts = typeof message === "string" || message instanceof Uint8Array ? [message] : message;
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(before + length + after);
  let at = before;
  for (const part of parts) {
    if (typeof part !== "string") bytes.set(part, at);
    // Any other character than those of ASCII takes more bytes than it has units: there is no room then.
    else if (encoder.encodeInto(part, bytes.subarray(at, at + part.length)).read < part.length) {
      const encoded = parts.map((one) => typeof one === "string" ? encoder.encode(one) : one);
      return concat([new Uint8Array(before), ...encoded, new Uint8Array(after)]);
    }
    at += part.length;
  }
  return bytes;
}
