import { assertEquals } from "@std/assert";
import { utf8Bytes, utf8Text } from "../../src/transport/utf8.ts";

const TEXTS = [
  "",
  "plain",
  "café",
  "€",
  "😀",
  "a\u0000b",
  "\ufeffmark",
  "\ufffd",
  "x".repeat(70_000) + "é",
];

Deno.test("texts are the same once they have been bytes, with room around them", () => {
  for (const text of TEXTS) {
    const bytes = utf8Bytes(text, { before: 3, after: 2 });
    assertEquals(bytes.subarray(3, -2), new TextEncoder().encode(text));
    assertEquals(utf8Text(bytes.subarray(3, -2)), text);
  }
});

Deno.test("texts that are sent in parts make one, as do bytes", () => {
  for (const parts of [[], [""], ["a", "", "bc"], ["a", "é", "\ud83d\ude00", "b"]]) {
    const whole = new TextEncoder().encode(parts.join(""));
    for (const message of [parts, whole]) {
      assertEquals(utf8Bytes(message, { before: 3, after: 2 }).subarray(3, -2), whole);
    }
  }
});

Deno.test("half a surrogate pair becomes what TextEncoder makes of it", () => {
  assertEquals(utf8Bytes("a\ud83d", {}), new TextEncoder().encode("a\ud83d"));
});

Deno.test("bytes that are not UTF-8 have no text", () => {
  for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0x61, 0xef, 0xbf]]) {
    assertEquals(utf8Text(new Uint8Array(bytes)), undefined);
  }
});
