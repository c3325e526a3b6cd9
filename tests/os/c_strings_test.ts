import { assertEquals } from "@std/assert";
import { cString, cStringArray } from "../../src/os/c_strings.ts";

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
