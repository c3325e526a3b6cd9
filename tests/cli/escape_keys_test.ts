import { assertEquals } from "@std/assert";
import { EscapeKeys } from "../../src/cli/escape_keys.ts";

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
