import { assertEquals } from "@std/assert";
import { parse, stringify } from "smol-toml";
import { select } from "../../src/codex_config/toml_file.ts";

const TABLE = parse(`
top = 1
date = 1979-05-27
[a.b]
c = "x"
d = { e = [1, { f = 2 }] }
[[list]]
g = 1
["__proto__"]
h = 1
`);

for (
  const [paths, expected] of [
    [[], ""],
    [[["top"]], "top = 1"],
    [[["a"]], '[a.b]\nc = "x"\n[a.b.d]\ne = [1, { f = 2 }]'],
    [[["a", "b", "c"]], '[a.b]\nc = "x"'],
    [[["a", "b", "c"], ["top"], ["a", "b", "c"]], 'top = 1\n[a.b]\nc = "x"'],
    [[["a"], ["a", "b", "c"]], '[a.b]\nc = "x"\n[a.b.d]\ne = [1, { f = 2 }]'],
    [[["a", "b", "c"], ["a"]], '[a.b]\nc = "x"\n[a.b.d]\ne = [1, { f = 2 }]'],
    [[["a", "nothing"]], "[a]"],
    [[["a", "b", "c", "deeper"]], "[a.b]"],
    [[["top", "deeper"], ["list", "0"], ["date", "year"], ["nothing"], ["toString"]], ""],
    [[["list"]], "[[list]]\ng = 1"],
    [[["__proto__", "h"]], '["__proto__"]\nh = 1'],
    [[["__proto__", "toString"]], '["__proto__"]'],
  ] as const
) {
  Deno.test(`selected by ${JSON.stringify(paths)}`, () => {
    assertEquals(parse(stringify(select(TABLE, paths))), parse(expected));
  });
}

Deno.test("selecting leaves the table as it was", () => {
  const before = stringify(TABLE);
  select(TABLE, [["a"], ["a", "b", "c"], ["a", "b", "d", "e"]]);
  assertEquals(stringify(TABLE), before);
});
