import { assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import { PathUri, PathUriError } from "../../src/protocol/path_uri.ts";
import { pick, seededRandom } from "../support/seeded_random.ts";

const OPAQUE = "file:///%00/bad/path/L3RtcC9hAGI";

for (
  const [uri, name] of [
    ["file:///", undefined],
    ["file:///a/b.rs", "b.rs"],
    ["file:///a/b/", "b"],
    ["file:///a//b//", "b"],
    ["file:///a/b%20c", "b c"],
    ["file:///a/b%3Fc%23d%25e", "b?c#d%e"],
    ["file:///a/b%252Fc", "b%2Fc"],
    ["file:///a/b%2Fc", "b/c"],
    ["file:///a/100%", "100%"],
    ["file:///a/n%C3%A9", "n\u00e9"],
    ["file:///a/%FFb", "%FFb"],
    ["file:///C:", "C:"],
    ["file:///C:/", "C:"],
    ["file:///C:/x", "x"],
    ["file:///C%3A", "C:"],
    ["file://server", undefined],
    ["file://server/share", "share"],
    ["file://server/share/x", "x"],
    [OPAQUE, undefined],
  ] as const
) {
  Deno.test(`basename of ${uri}`, () => assertEquals(PathUri.parse(uri).basename(), name));
}

for (
  const [uri, ancestors] of [
    ["file:///", []],
    ["file:///a", ["file:///"]],
    ["file:///a/b", ["file:///a", "file:///"]],
    ["file:///a//b//", ["file:///a", "file:///"]],
    ["file:///a%2Fb/%FF", ["file:///a%2Fb", "file:///"]],
    ["file:///C%3A/x", ["file:///C%3A", "file:///"]],
    ["file:///C:", []],
    ["file:///C:/", []],
    ["file:///C:/a/b", ["file:///C:/a", "file:///C:"]],
    ["file://server/", []],
    ["file://server/share", []],
    ["file://server/share/", []],
    ["file://server/share/a/b", ["file://server/share/a", "file://server/share"]],
    ["file://server/C%3A/a", ["file://server/C%3A"]],
    [OPAQUE, []],
  ] as const
) {
  Deno.test(`parent and ancestors of ${uri}`, () => {
    const path = PathUri.parse(uri);
    assertEquals(path.parent()?.toString(), ancestors[0]);
    assertEquals([...path.ancestors()].map(String), [uri, ...ancestors]);
  });
}

for (
  const [base, text, joined] of [
    ["file:///a/b", "c/d", "file:///a/b/c/d"],
    ["file:///a/b/", "c", "file:///a/b/c"],
    ["file:///a//b", "c", "file:///a/b/c"],
    ["file:///a/b", "c/", "file:///a/b/c"],
    ["file:///a/b", "../c", "file:///a/c"],
    ["file:///a/b", ".", "file:///a/b"],
    ["file:///a/b", "./c//./d/..", "file:///a/b/c"],
    ["file:///a", "../../../etc", "file:///etc"],
    ["file:///", "..", "file:///"],
    ["file:///a", "b?c#d%e", "file:///a/b%3Fc%23d%25e"],
    ["file:///a", "%2e%2e/b%2Fc", "file:///a/%252e%252e/b%252Fc"],
    ["file:///a", "b\\..\\c", "file:///a/b%5C..%5Cc"],
    ["file:///a", "n\u00e9", "file:///a/n%C3%A9"],
    ["file:///a", "/x", "file:///x"],
    ["file:///a", "//x/../y/", "file:///y"],
    ["file:///a", "/../../y", "file:///y"],
    // A POSIX directory named like a drive is no drive.
    ["file:///", "C:", "file:///C%3A"],
    ["file:///", "C:\\x", "file:///C:%5Cx"],
    ["file:///a", "../C:/x", "file:///C%3A/x"],
    ["file:///a", "/C|/x", "file:///C%7C/x"],
    ["file:///a%2Fb", "..", "file:///"],
    ["file:///%FF", "a", "file:///%FF/a"],
    ["file:///C:/a/b", "c\\d", "file:///C:/a/b/c/d"],
    ["file:///C:/a/b", "c/d", "file:///C:/a/b/c/d"],
    ["file:///C:/a/b", "..\\c", "file:///C:/a/c"],
    ["file:///C:/a/b", "..\\..\\..\\..\\c", "file:///C:/c"],
    ["file:///C:/a/b", "\\Windows", "file:///C:/Windows"],
    ["file:///C:/a/b", "/Windows", "file:///C:/Windows"],
    ["file:///C:/a/b", "\\", "file:///C:"],
    ["file:///C:/a/b", "D:\\x\\..\\y", "file:///D:/y"],
    ["file:///C:/a/b", "d:/", "file:///d:/"],
    ["file:///C:/a/b", "\\\\server\\share\\x", "file://server/share/x"],
    ["file:///C:/a/b", "\\\\.\\COM1\\", "file:///%00/bad/path/XABcAC4AXABDAE8ATQAxAFwA"],
    ["file:///C:/a", "x\\D:", "file:///C:/a/x/D:"],
    ["file://server/share/a", "..\\..\\..\\b", "file://server/share/b"],
    ["file://server/share/a", "\\b", "file://server/share/b"],
    ["file://server/share/a", "C:\\b", "file:///C:/b"],
  ] as const
) {
  Deno.test(`${base} joined with ${JSON.stringify(text)}`, () => {
    const path = PathUri.parse(base).join(text);
    assertEquals(path.toString(), joined);
    assertEquals(PathUri.parse(joined), path);
  });
}

Deno.test("joining nothing gives the path itself", () => {
  for (const uri of ["file:///a/", "file:///C:", "file://server", OPAQUE]) {
    const path = PathUri.parse(uri);
    assertStrictEquals(path.join(""), path);
  }
});

for (
  const [base, text, code, reason] of [
    ["file:///a", "b\0c", "nul", /NUL/],
    ["file:///a", "/b\0c", "nul", /NUL/],
    ["file:///C:/a", "D:\\\0", "nul", /NUL/],
    ["file:///a", "\ud800", "encoding", /unpaired surrogate/],
    ["file:///a", "/\ud800", "encoding", /unpaired surrogate/],
    ["file:///C:/a", "\ud800", "encoding", /unpaired surrogate/],
    ["file:///C:/a", "C:x", "not-absolute", /'C:x' depends on a drive/],
    ["file:///C:/a", "d:", "not-absolute", /'d:' depends on a drive/],
    ["file://server/share", "C:..\\x", "not-absolute", /depends on a drive/],
    ["file:///C:/a", "\\\\server", "not-absolute", /server and a share/],
    ["file://server", "share", "host", /names no share/],
    [OPAQUE, "a", "opaque", /is opaque/],
    [OPAQUE, "/a", "opaque", /is opaque/],
    [OPAQUE, "..", "opaque", /is opaque/],
  ] as const
) {
  Deno.test(`${base} joined with ${JSON.stringify(text)} is refused`, () => {
    const error = assertThrows(() => PathUri.parse(base).join(text), PathUriError);
    assertEquals(error.code, code);
    assertMatch(error.message, reason);
  });
}

for (
  const [path, base, within] of [
    ["file:///a/b", "file:///a/b", true],
    ["file:///a/b/c", "file:///a/b", true],
    ["file:///a/b/c", "file:///", true],
    ["file:///a/b-c", "file:///a/b", false],
    ["file:///a", "file:///a/b", false],
    ["file:///a/b", "file:///a/b/", true],
    ["file:///a/b/", "file:///a/b", true],
    ["file:///a//b", "file:///a/b", true],
    ["file:///a/%2e%2e/b", "file:///a", false],
    ["file:///%61/b", "file:///a", false],
    ["file:///A/b", "file:///a", false],
    ["file:///a/%2F..%2Fb", "file:///a", false],
    ["file:///a/b%2fc", "file:///a", false],
    ["file:///a%2Fb/c", "file:///a%2Fb", false],
    ["file:///a%2Fb", "file:///a%2Fb", true],
    ["file:///a/b%252Fc", "file:///a", true],
    ["file:///a/%5C..%5Cb", "file:///a", true],
    ["file:///C:/a/%5C..%5Cb", "file:///C:/a", false],
    ["file:///C:/a/b%2Fc", "file:///C:/a", false],
    ["file:///C:/a/b", "file:///C:/a", true],
    ["file:///C:/ab", "file:///C:/a", false],
    ["file:///C:/a", "file:///C:", true],
    ["file:///C:/a", "file:///D:", false],
    ["file:///c:/a", "file:///C:/", false],
    ["file:///C:/a", "file:///", false],
    ["file:///C%3A/a", "file:///C:", false],
    ["file://server/share/a", "file://server/share", true],
    ["file://server/share2", "file://server/share", false],
    ["file://other/share/a", "file://server/share", false],
    ["file://server/share/a", "file://server", true],
    ["file:///share/a", "file://server/share", false],
    ["file://server/a", "file:///", false],
    [OPAQUE, OPAQUE, true],
    [OPAQUE, "file:///", false],
    [OPAQUE, "file:///tmp", false],
    [OPAQUE, "file:///%00/bad/path/L3RtcC8A", false],
    ["file:///a", OPAQUE, false],
  ] as const
) {
  Deno.test(`${path} ${within ? "starts" : "does not start"} with ${base}`, () => {
    assertEquals(PathUri.parse(path).startsWith(PathUri.parse(base)), within);
  });
}

for (
  const [one, other, equal] of [
    ["file:///a/b", "file://localhost/a/b", true],
    ["file:///a/b", "file:///a//b/", true],
    ["file:///C:", "file:///C:/", true],
    ["file:///C:", "file:///c:", false],
    ["file:///a%2Fb", "file:///a%2Fb", true],
    ["file:///a%2Fb", "file:///a/b", false],
    ["file:///a%2Fb", "file:///a%2Fb/", false],
    ["file:///a", "file:///a/b", false],
    ["file://server/share", "file:///share", false],
    [OPAQUE, OPAQUE, true],
    [OPAQUE, "file:///%00/bad/path/L3RtcC8A", false],
  ] as const
) {
  Deno.test(`${one} and ${other} are ${equal ? "equal" : "different"}`, () => {
    assertEquals(PathUri.parse(one).equals(PathUri.parse(other)), equal);
    assertEquals(PathUri.parse(other).equals(PathUri.parse(one)), equal);
  });
}

Deno.test("joining relative text never leaves the root, and paths start with their ancestors", () => {
  const random = seededRandom(5);
  for (let round = 0; round < 5000; round++) {
    const [base, root] = pick(random, [
      ["file:///a/b", "file:///"],
      ["file:///C:/a/b", "file:///C:"],
      ["file://server/share/a/b", "file://server/share"],
    ]);
    const text = Array.from(
      { length: 1 + random(8) },
      () => pick(random, ["..", ".", "", "x", "C:", "%2F", "..\\..", "|", "\u00e9", "D|"]),
    ).join("/").replace(/^[\\/]+/, "").replace(/^[a-z]:/i, "x");
    const path = PathUri.parse(base).join(text);
    assertEquals(path.startsWith(PathUri.parse(root)), true, `${path}`);
    assertEquals(PathUri.parse(path.toString()), path);
    for (const ancestor of path.ancestors()) {
      assertEquals(path.startsWith(ancestor), true, `${path} in ${ancestor}`);
      assertEquals(PathUri.parse(ancestor.toString()), ancestor);
    }
    assertEquals([...path.ancestors()].at(-1)?.equals(PathUri.parse(root)), true);
  }
});

Deno.test("what lies within a base natively lies within it as native text too", () => {
  const random = seededRandom(6);
  const piece = () =>
    pick(random, ["a", "b", "%2F", "..", "%2e%2e", "%5C", "/", "/", "/a", "%2Fa"]);
  for (let round = 0; round < 5000; round++) {
    const base = PathUri.parse(`file:///${piece()}${piece()}`);
    const path = PathUri.parse(`${base}/${piece()}${piece()}${piece()}${piece()}`);
    if (!path.startsWith(base) || path.equals(base)) continue;
    const [inner, outer] = [path.toNativePath("posix"), base.toNativePath("posix")];
    assertEquals(inner.startsWith(outer === "/" ? "/" : `${outer}/`), true, `${path} in ${base}`);
  }
});
