import { assertEquals, assertThrows } from "@std/assert";
import { DetachKeys, EscapeKeys } from "../../src/cli/escape_keys.ts";

/** What goes to the command, with a mark where the keys leave it. */
function typed(...parts: string[]): string {
  const keys = new EscapeKeys();
  let text = "";
  for (const part of parts) {
    const { bytes, leave } = keys.read(new TextEncoder().encode(part));
    text += new TextDecoder().decode(bytes);
    if (leave) return `${text}[left]`;
  }
  return text + new TextDecoder().decode(keys.end());
}

Deno.test("a tilde and a dot leave at the beginning of a line, and nowhere else", () => {
  const cases: [parts: string[], text: string][] = [
    [["~."], "[left]"],
    [["~", "."], "[left]"],
    [["ls\r~.more"], "ls\r[left]"],
    [["ls\n", "~", "."], "ls\n[left]"],
    [["ls ~."], "ls ~."],
    [["~~."], "~."],
    [["~~\r~."], "~\r[left]"],
    [["~/bin\r"], "~/bin\r"],
    [["~\r~."], "~\r[left]"],
    [["~"], "~"],
    [["\x03~."], "\x03~."],
  ];
  for (const [parts, text] of cases) assertEquals(typed(...parts), text, JSON.stringify(parts));
});

/** What comes of keys that are typed one after the other. */
function detached(
  sequence: string,
  ...parts: string[]
): { readonly text: string; readonly left: boolean } {
  const keys = new DetachKeys(sequence);
  let text = "";
  for (const part of parts) {
    const { bytes, leave } = keys.read(new TextEncoder().encode(part));
    text += new TextDecoder().decode(bytes);
    if (leave) return { text, left: true };
  }
  return { text: text + new TextDecoder().decode(keys.end()), left: false };
}

Deno.test("the sequence leaves, in one piece or several, and what came before it stays", () => {
  for (const parts of [["ab\x10\x11c"], ["ab\x10", "\x11", "c"], ["a", "b", "\x10\x11"]]) {
    assertEquals(detached("ctrl-p,ctrl-q", ...parts), { text: "ab", left: true });
  }
  assertEquals(detached("ctrl-p,ctrl-q", "\x10\x10\x11"), { text: "\x10", left: true });
  assertEquals(detached("x", "yx"), { text: "y", left: true });
});

Deno.test("keys that only begin like it are the command's", () => {
  assertEquals(detached("ctrl-p,ctrl-q", "\x10", "a\x10", "\x10"), {
    text: "\x10a\x10\x10",
    left: false,
  });
  assertEquals(detached("a,b,c", "abab"), { text: "abab", left: false });
  assertEquals(detached("ctrl-[,ctrl-\\,~", "\x1b\x1c", "~"), { text: "", left: true });
});

Deno.test("what is no key is refused", () => {
  for (const text of ["", "ctrl-", "ctrl-1", "ab", "a,,b", "ctrl-p,", "é"]) {
    assertThrows(() => new DetachKeys(text), Error, "is no key");
  }
});
