import { assertEquals } from "@std/assert";
import { deniedGlobs } from "../../../src/sandbox/policy/denied_glob.ts";
import { anyCaseTreeRegex, globRegex } from "../../../src/sandbox/seatbelt/path_regex.ts";
import { fakeDisk } from "../fake_disk.ts";

/** The regular expressions of a pattern, applied to characters and to bytes. */
function matches(pattern: string, path: string): boolean {
  const sources = deniedGlobs(pattern, fakeDisk({})).map(({ base, names }) =>
    globRegex(base, names)
  );
  const byCharacter = sources.some((source) => new RegExp(source, "su").test(path));
  const byByte = sources.some((source) => new RegExp(bytes(source), "s").test(bytes(path)));
  if (byCharacter !== byByte) throw new Error(`${sources}: ${path} depends on the engine`);
  return byByte;
}

/** UTF-8 with one character for each byte. */
function bytes(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}

for (
  const [pattern, matching, others] of [
    ["/w/*.env", ["/w/a.env", "/w/.env", "/w/x.env/y"], ["/w/a/b.env", "/w/a.envx", "/x/a.env"]],
    ["/w/**/*.env", ["/w/.env", "/w/app/.env", "/w/app/config.env"], ["/w/app/config.toml"]],
    ["/w/**", ["/w/a", "/w/a/b"], ["/w", "/wa"]],
    ["/w/**/k/**", ["/w/k/a", "/w/a/k/b/c"], ["/w/k", "/w/a/b"]],
    ["/w/**/**/x", ["/w/x", "/w/a/b/x"], ["/w/xx", "/v/x"]],
    ["/w/a**b", ["/w/ab", "/w/axxb"], ["/w/a/b"]],
    ["/w/*/file[0-9]?.txt", ["/w/app/file42.txt", "/w/app/file4é.txt"], [
      "/w/app/nested/file42.txt",
      "/w/app/file4.txt",
      "/w/app/fileab.txt",
    ]],
    ["/w/[!a]x", ["/w/bx", "/w/éx", "/w/-x"], ["/w/ax", "/w//x"]],
    ["/w/[^a-c-]x", ["/w/dx"], ["/w/ax", "/w/bx", "/w/-x"]],
    ["/w/[]]x", ["/w/]x"], ["/w/ax"]],
    ["/w/[-.]x", ["/w/-x", "/w/.x"], ["/w//x", "/w/ax"]],
    ["/w/[+-9]x", ["/w/.x", "/w/5x"], ["/w//x"]],
    ["/w/[éa]x", ["/w/éx", "/w/ax"], ["/w/ex"]],
    ["/w/{a,b/{c,d}}.x", ["/w/a.x", "/w/b/c.x", "/w/b/d.x"], ["/w/b.x", "/w/c.x"]],
    ["/w/\\*", ["/w/*"], ["/w/a"]],
    ["/w/(a|b)+", ["/w/(a|b)+"], ["/w/a"]],
    ["/w/plain", ["/w/plain", "/w/plain/x", "/w/Plain"], ["/w/plains"]],
    ["/**", ["/a", "/a/b"], []],
    ["/*.env", ["/.env"], ["/a/.env"]],
    ["/w/a\nb*", ["/w/a\nbc"], ["/w/a"]],
  ] as const
) {
  Deno.test(`the expression for ${JSON.stringify(pattern)} matches what the pattern does`, () => {
    for (const path of matching) assertEquals([path, matches(pattern, path)], [path, true]);
    for (const path of others) assertEquals([path, matches(pattern, path)], [path, false]);
  });
}

Deno.test("an expression never matches less than its pattern", () => {
  const pieces = ["*", "?", "**", "a", "[!b]", "[a-c]", "[!]]", "[!\\]", "[!é]", ".", "é", "-"];
  const names = ["a", "b", "c", "é", "]", "\\", "-", ".", '"', "ab", "a/b", "bé", "日", "aé-.]"];
  for (const first of pieces) {
    for (const second of pieces) {
      for (const pattern of [`/w/${first}${second}`, `/w/${first}/${second}`]) {
        const globs = deniedGlobs(pattern, fakeDisk({}));
        for (const name of names.map((name) => `/w/${name}`)) {
          if (!globs.some((glob) => glob.matches(name))) continue;
          for (const { base, names } of globs) {
            const source = bytes(globRegex(base, names));
            const found = new RegExp(source, "s").test(bytes(name));
            assertEquals([pattern, name, source, found], [pattern, name, source, true]);
          }
        }
      }
    }
  }
});

Deno.test("a name in capital or small letters", () => {
  assertEquals(anyCaseTreeRegex("/w.x/.git"), "^/w\\.x/\\.[gG][iI][tT](/.*)?$");
  assertEquals(anyCaseTreeRegex("/.git"), "^/\\.[gG][iI][tT](/.*)?$");
  assertEquals(anyCaseTreeRegex("/w/é1"), "^/w/(é|É)1(/.*)?$");
});
