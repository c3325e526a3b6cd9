import { assertEquals } from "@std/assert";
import {
  cString,
  cStringArray,
  decodeOsString,
  encodeOsString,
  isOsString,
} from "../../src/os/os_string.ts";

Deno.test("any bytes become a text, and that text the same bytes", () => {
  const cases: [bytes: number[], text: string][] = [
    [[], ""],
    [[0x61, 0xc3, 0xa9], "aé"],
    [[0x61, 0xff, 0x62], "a\udcffb"],
    [[0xc3], "\udcc3"],
    [[0xc3, 0xa9, 0xc3], "é\udcc3"],
    [[0xf0, 0x9f, 0x98, 0x80, 0x80], "😀\udc80"],
    // A surrogate in UTF-8, and more bytes than the character needs, are no UTF-8.
    [[0xed, 0xb3, 0xbf], "\udced\udcb3\udcbf"],
    [[0xc0, 0xaf], "\udcc0\udcaf"],
    [[0xef, 0xbb, 0xbf, 0x61], "\ufeffa"],
  ];
  for (const [bytes, text] of cases) {
    assertEquals(decodeOsString(Uint8Array.from(bytes)), text);
    assertEquals([...encodeOsString(text)], bytes);
    assertEquals(isOsString(text), true);
  }
});

Deno.test("every byte survives next to every other", () => {
  const bytes = new Uint8Array(256 * 256 * 2);
  for (let index = 0; index < 256 * 256; index++) {
    bytes[2 * index] = index >> 8;
    bytes[2 * index + 1] = index & 0xff;
  }
  assertEquals(encodeOsString(decodeOsString(bytes)), bytes);
});

Deno.test("what stands for no bytes is no text of the system's", () => {
  for (const text of ["\0", "a\0", "\ud800", "\udc7f", "\udd00", "a\udcffb\ud83d"]) {
    assertEquals(isOsString(text), false, JSON.stringify(text));
  }
});

/** What C finds behind the pointers of an array. */
function textsOf(array: Uint8Array<ArrayBuffer>): string[] {
  const texts: string[] = [];
  for (let offset = 0;; offset += 8) {
    const pointer = Deno.UnsafePointer.create(
      new DataView(array.buffer).getBigUint64(offset, true),
    );
    if (pointer === null) return texts;
    texts.push(Deno.UnsafePointerView.getCString(pointer));
  }
}

Deno.test("a C string is UTF-8 with a NUL at its end", () => {
  assertEquals(Array.from(cString("é")), [0xc3, 0xa9, 0]);
});

Deno.test("an array of C strings leads to each of them, the empty ones too, and ends", () => {
  for (const texts of [[], ["a"], ["", "b c", "", "é"], Array.from({ length: 300 }, String)]) {
    assertEquals(textsOf(cStringArray(texts)), texts);
  }
});
