import { encodeOsString } from "./os_string.ts";

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
