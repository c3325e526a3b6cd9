import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { open } from "node:fs/promises";
import { base64Pieces, isBase64, PlaceReader } from "../../src/filesystem/transfer.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { decodeBase64 } from "../../src/protocol/schema_parts.ts";

Deno.test("a file is read at any place by several at a time, whatever becomes of one", async () => {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/file`;
  Deno.writeTextFileSync(path, "abcdefghi");
  await using file = new PlaceReader(await open(path));
  const failed = file.read(-1, -1);
  const reads = [[0, 4], [4, 3], [1, 2], [8, 5], [50, 5]].map(([offset = 0, length = 0]) =>
    file.read(offset, length)
  );
  await assertRejects(() => failed);
  const read = (await Promise.all(reads)).map((part) => new TextDecoder().decode(part));
  assertEquals(read, ["abcd", "efg", "bc", "i", ""]);
});

function decoded(text: string): Uint8Array {
  const whole: number[] = [];
  for (const piece of base64Pieces(text)) for (const byte of piece) whole.push(byte);
  return Uint8Array.from(whole);
}

Deno.test("pieces make up what was encoded, wherever they are cut", () => {
  for (const size of [0, 1, 2, 3, 4, 786_431, 786_432, 786_433, 2_000_000]) {
    const bytes = Uint8Array.from({ length: size }, (_, index) => index * 7 + (index >> 8));
    assertEquals(decoded(bytes.toBase64()), bytes, String(size));
  }
});

const LONG = "QUJD".repeat(300_000);

for (
  const text of [
    ...[
      "A",
      "AA",
      "AAA",
      "AAAAA",
      "AA=",
      "AB==",
      "AAAA=",
      "====",
      "AA==AAAA",
      "AA-_",
      "é",
      "A A==",
    ],
    ...[" ", "    ", "QUJD\n", "QUJD    ", "\nQUJ", "QQ= ="],
    ...[
      `${LONG}A`,
      `${LONG} `,
      `AA==${LONG}`,
      ` ${LONG}`,
      `${LONG.slice(0, 1024 * 1024 - 4)}AA==AAAA`,
    ],
  ]
) {
  Deno.test(`not base64: ${JSON.stringify(text.slice(0, 12))}, ${text.length} characters`, () => {
    assert(!isBase64(text));
    assertThrows(() => decoded(text), SyntaxError);
    assertEquals(decodeBase64(text), undefined, "the other decoder agrees");
  });
}
