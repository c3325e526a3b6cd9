import { assert, assertEquals } from "@std/assert";
import { glob, path, special } from "../context.ts";
import { bindOnMac, rights, sandbox } from "./seatbelt_scene.ts";

const HOSTILE = [
  'a"b',
  'a")) (allow default) ; "',
  "a)(b",
  "(((",
  "a\nb",
  "; comment\n(allow default)",
  "a\\b",
  "a\\",
  'a\\"',
  "a.*b",
  "a|b",
  "[x]",
  "{1,9}",
  "^$",
  "a+b?",
  '(param "READ_0")',
  '#"x"',
  "$(id)",
  "-D",
  "A=B",
  "\t \u007f",
  "été",
  "日本",
  "🙂",
] as const;

for (const name of HOSTILE) {
  Deno.test(`${JSON.stringify(name)} in a path is nothing but a name`, () => {
    const root = `/w/${name}`;
    const plain = sandbox({ policy: bindOnMac(grants("/w/plain"), tree("/w/plain")) });
    const sandboxed = sandbox({ policy: bindOnMac(grants(root), tree(root)) });
    const expected = {
      [root]: "rw",
      [`${root}/x`]: "rw",
      [`${root}/.git`]: "r",
      [`${root}/.GIT/x`]: "r",
      [`${root}/no`]: "",
      [`${root}/no/x`]: "",
      [`${root}/no/yes/x`]: "r",
      [`${root}x`]: "",
      "/w/other": "",
      "/w": "",
    };
    const found = Object.keys(expected).map((path) => [path, rights(sandboxed, path)]);
    assertEquals(Object.fromEntries(found), expected);
    assertEquals(sandboxed.profile.allows({ operation: "mach-register" }), false);
    assertEquals(rules(sandboxed.text), rules(plain.text));
    assert(sandboxed.definitions.includes(`WRITE_0=${root}`));
    // No path stands in the text but in regular expressions about protected names.
    assert(!sandboxed.text.replace(/#"[^\n]*"/g, "").includes(`/w/${name}`));
  });

  Deno.test(`${JSON.stringify(name)} before a pattern is nothing but a name`, () => {
    const root = `/w/${name}`;
    const pattern = `${root.replace(/[*?[\]{}\\]/g, "\\$&")}/**/*.env`;
    const entries = [special("root", "write"), glob(pattern)];
    const sandboxed = sandbox({ policy: bindOnMac({ entries }, tree(root)) });
    const found = [`${root}/.env`, `${root}/a/b.env`, `${root}/a.en`, "/w/.env"]
      .map((path) => rights(sandboxed, path));
    assertEquals(found, ["", "", "rw", "rw"]);
  });
}

function grants(root: string) {
  return {
    entries: [path(root, "write"), path(`${root}/no`, "deny"), path(`${root}/no/yes`, "read")],
  };
}

function tree(root: string) {
  return { [`${root}/no/yes`]: "directory" } as const;
}

/** How many of each kind of bracketed beginning there are. */
function rules(text: string): Record<string, number> {
  const outside = text.replace(/#"[^\n]*"/g, "");
  const heads = outside.matchAll(/\((allow|deny|require-not|literal|subpath|regex)\b/g);
  const counts: Record<string, number> = {};
  for (const [head] of heads) counts[head] = (counts[head] ?? 0) + 1;
  return counts;
}
