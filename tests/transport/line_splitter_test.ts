import { assertEquals } from "@std/assert";
import { LineSplitter } from "../../src/transport/line_splitter.ts";
import { utf8Text } from "../../src/transport/utf8.ts";

/** What a splitter tells of chunks: lines, or reasons in brackets. */
function split(chunks: readonly Uint8Array[], limit = 1000): string[] {
  const told: string[] = [];
  const splitter = new LineSplitter(limit, {
    line: (bytes) => told.push(utf8Text(bytes) ?? "[not UTF-8]"),
    unreadable: (reason) => told.push(`[${reason}]`),
  });
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return told;
}

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("lines are told without their ends, blank ones not at all", () => {
  const cases: [text: string, lines: string[]][] = [
    ["", []],
    ["a", ["a"]],
    ["a\n", ["a"]],
    ["a\nb", ["a", "b"]],
    ["\n\na\n \t\r\n\nb\n\n", ["a", "b"]],
    ["a\r\n b \n", ["a\r", " b "]],
    ["a\rb\u2028c\n", ["a\rb\u2028c"]],
    ["\ufeffa\n", ["\ufeffa"]],
    ["\0\n", ["\0"]],
    ["\u00a0\u2028\ufeff\n\u00a0a\n", ["\u00a0a"]],
  ];
  for (const [text, lines] of cases) assertEquals(split([bytes(text)]), lines, text);
});

Deno.test("lines are the same however the stream is cut", () => {
  const whole = bytes('{"a":"ä"}\n\u{1f600}\r\n\nlast');
  const expected = split([whole]);
  assertEquals(expected.length, 3);
  for (let cut = 0; cut <= whole.length; cut++) {
    assertEquals(split([whole.subarray(0, cut), whole.subarray(cut)]), expected, `at ${cut}`);
  }
  assertEquals(split(Array.from(whole, (byte) => Uint8Array.of(byte))), expected);
});

Deno.test("a chunk may be used again once it was pushed", () => {
  const told: string[] = [];
  const splitter = new LineSplitter(10, {
    line: (bytes) => told.push(utf8Text(bytes) ?? ""),
    unreadable: (reason) => told.push(reason),
  });
  const chunk = bytes("ab");
  splitter.push(chunk);
  chunk.set(bytes("c\n"));
  splitter.push(chunk);
  assertEquals(told, ["abc"]);
});

Deno.test("a line that is too long or not UTF-8 is told of, and the next is read", () => {
  const tooLong = (length: number) => `[a line of ${length} bytes, the limit is 4]`;
  const cases: [chunks: Uint8Array[], told: string[]][] = [
    [[bytes("abcd\nabcde\nx\n")], ["abcd", tooLong(5), "x"]],
    [[bytes("ab"), bytes("cde"), bytes("fgh"), bytes("\nx")], [tooLong(8), "x"]],
    [[bytes("äöü\nä\n")], [tooLong(6), "ä"]],
    [[bytes("abcde")], [tooLong(5)]],
    [[Uint8Array.of(0xff, 0x0a), bytes("x")], ["[not UTF-8]", "x"]],
    [[bytes("ä").subarray(0, 1)], ["[not UTF-8]"]],
    [[Uint8Array.of(0xed, 0xa0, 0x80)], ["[not UTF-8]"]],
  ];
  for (const [chunks, told] of cases) assertEquals(split(chunks, 4), told);
});
