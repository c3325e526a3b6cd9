import { assertEquals } from "@std/assert";
import { wildcardTest } from "../../src/process/environment.ts";

Deno.test("a star stands for any characters, a question mark for one, others for themselves", () => {
  const cases: [pattern: string, matching: string[], others: string[]][] = [
    ["", [""], ["A"]],
    ["HOME", ["HOME", "home", "Home"], ["HOME2", "XHOME", "HOM", ""]],
    ["*", ["", "A", "anything"], []],
    ["**", ["", "A", "anything"], []],
    ["*KEY*", ["KEY", "MONKEY_X", "keyboard", "kEy"], ["K_EY", "KE"]],
    ["A*", ["A", "AB", "a_b"], ["BA", ""]],
    ["*A", ["A", "BA", "aba"], ["AB", ""]],
    ["A*B*C", ["ABC", "AxBxC", "ABCBC", "AxCxBxC"], ["AB", "ACB", "ABCx"]],
    ["*AB*AB", ["ABAB", "xABxAB", "ABABAB"], ["AB", "ABA", "ABABx"]],
    ["?", ["A", "ä", "\u{1f600}"], ["", "AB"]],
    ["A?C", ["ABC", "A?C", "A*C"], ["AC", "ABBC"]],
    ["?*", ["A", "AB"], [""]],
    ["*?B", ["AB", "AAB", "BB"], ["B", "BA"]],
    ["ÄÖ*", ["äöx"], ["ao"]],
  ];
  for (const [pattern, matching, others] of cases) {
    const matches = wildcardTest(pattern);
    assertEquals(matching.filter((text) => !matches(text)), [], `${pattern} matches`);
    assertEquals(others.filter((text) => matches(text)), [], `${pattern} does not match`);
  }
});

Deno.test("what means something in other pattern languages stands for itself", () => {
  for (const pattern of ["H.ME", "[HP]*", "{a,b}", "^HOME$", "(PATH)", "\\*", "HO|ME", "\\w+"]) {
    const matches = wildcardTest(pattern);
    assertEquals(matches(pattern), true, pattern);
    assertEquals(["HOME", "PATH", "a", "*x", "P"].filter((text) => matches(text)), [], pattern);
  }
});

Deno.test("line ends are characters like others", () => {
  assertEquals(wildcardTest("a*b")("a\n\r\u2028b"), true);
  assertEquals(wildcardTest("a")("a\n"), false);
});

Deno.test("a pattern made to be slow is not", () => {
  // A matcher that tries every way to share the text out among the stars would not return.
  assertEquals(wildcardTest("*a".repeat(100) + "b")("a".repeat(1000)), false);
});
