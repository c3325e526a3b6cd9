import { assertEquals, assertThrows } from "@std/assert";
import { accessTo, type BoundFiles } from "../../../src/sandbox/policy/bound_policy.ts";
import { deniedGlobs, findDenied } from "../../../src/sandbox/policy/denied_glob.ts";
import { GlobSyntaxError } from "../../../src/sandbox/policy/glob_syntax.ts";
import { fakeDisk, type FakeEntry } from "../fake_disk.ts";
import { RpcError } from "../../../src/protocol/errors.ts";

function matches(pattern: string, path: string): boolean {
  return deniedGlobs(pattern, fakeDisk({})).some((glob) => glob.matches(path));
}

for (
  const [pattern, matching, others] of [
    ["/w/*.env", ["/w/a.env", "/w/.env"], ["/w/a/b.env", "/w/a.envx", "/x/a.env"]],
    ["/w/**/*.env", ["/w/a.env", "/w/a/b/c.env"], ["/w.env", "/v/a.env"]],
    ["/w/**", ["/w/a", "/w/a/b"], ["/w", "/wa"]],
    ["/w/**/k/**", ["/w/k/a", "/w/a/k/b/c"], ["/w/k", "/w/a/b"]],
    ["/w/**/**/x", ["/w/x", "/w/a/b/x"], ["/w/x/y"]],
    ["/w/a*b*a", ["/w/aba", "/w/abba", "/w/axbxa"], ["/w/ab", "/w/aa", "/w/abab"]],
    ["/w/aa*aa", ["/w/aaaa", "/w/aaxaa"], ["/w/aaa", "/w/aa"]],
    ["/w/*a*", ["/w/a", "/w/xax"], ["/w/x"]],
    ["/w/*", ["/w/a"], ["/w/a/b"]],
    ["/w/a?*[xy]*z", ["/w/abxz", "/w/abbyxzz"], ["/w/axz", "/w/abxy"]],
    ["/w/**/a/**/a/b", ["/w/a/a/b", "/w/x/a/y/a/b"], ["/w/a/b", "/w/a/a/c/b"]],
    ["/w/a**b", ["/w/ab", "/w/axxb"], ["/w/a/b"]],
    ["/w/?.txt", ["/w/a.txt", "/w/\u00e9.txt"], ["/w/ab.txt", "/w//.txt"]],
    ["/w/[a-c]x", ["/w/ax", "/w/cx"], ["/w/dx", "/w/x"]],
    ["/w/[!a]x", ["/w/bx"], ["/w/ax"]],
    ["/w/[^a]x", ["/w/bx"], ["/w/ax"]],
    ["/w/[]]x", ["/w/]x"], ["/w/ax"]],
    ["/w/[\\]]", ["/w/\\]"], []],
    ["/w/{a,b/{c,d}}.x", ["/w/a.x", "/w/b/c.x", "/w/b/d.x"], ["/w/b.x", "/w/c.x"]],
    ["/w/\\*", ["/w/*"], ["/w/a"]],
    ["/w/\\{a,b\\}", ["/w/{a,b}"], ["/w/a"]],
    ["/w/(a|b)+", ["/w/(a|b)+"], ["/w/a"]],
    ["/w/plain", ["/w/plain"], ["/w/plain/x"]],
    ["/w/a\nb*", ["/w/a\nbc"], ["/w/a"]],
  ] as const
) {
  Deno.test(`'${pattern}' matches what it should and nothing else`, () => {
    for (const path of matching) assertEquals([path, matches(pattern, path)], [path, true]);
    for (const path of others) assertEquals([path, matches(pattern, path)], [path, false]);
  });
}

for (
  const pattern of ["/w/{a", "/w/a}", "/w/\\{a}", "/w/[a", "/w/[z-a]", `/w/${"{a,b}".repeat(9)}`]
) {
  Deno.test(`'${pattern.slice(0, 20)}' is not a pattern`, () => {
    assertThrows(() => deniedGlobs(pattern, fakeDisk({})), GlobSyntaxError);
  });
}

Deno.test("a pattern says below which directories it may match", () => {
  const [glob] = deniedGlobs("/w/*/x/**/y", fakeDisk({}));
  const may = (path: string) => glob?.mayMatchBelow(path);
  assertEquals(["/w", "/w/a", "/w/a/x", "/w/a/x/b/c"].map(may), [true, true, true, true]);
  assertEquals(["/v", "/w/a/z"].map(may), [false, false]);
});

Deno.test("links before the first wild character are followed", () => {
  const [glob] = deniedGlobs(
    "/link/*.env",
    fakeDisk({ "/link": { link: "/data/x" }, "/data/x": "directory" }),
  );
  assertEquals(glob?.base, "/data/x");
  assertEquals(glob?.matches("/data/x/a.env"), true);
});

Deno.test("a denied glob holds for all below what it matches, unless something deeper is granted", () => {
  const files: BoundFiles = {
    kind: "granted",
    grants: [
      { path: "/w", access: "write", kind: "directory", links: [] },
      { path: "/w/k/open", access: "read", kind: "directory", links: [] },
      { path: "/w/same", access: "write", kind: "directory", links: [] },
    ],
    deniedGlobs: ["/w/k*", "/w/same"].flatMap((pattern) => deniedGlobs(pattern, fakeDisk({}))),
    globMaxDepth: undefined,
  };
  const access = (path: string) => accessTo(files, path);
  assertEquals(access("/w/x"), "write");
  assertEquals(access("/w/k"), "deny");
  assertEquals(access("/w/k/deep/er"), "deny");
  assertEquals(access("/w/k/open/x"), "read");
  assertEquals(access("/w/same"), "deny");
  assertEquals(access("/elsewhere"), "deny");
  assertEquals(access("/"), "deny");
});

Deno.test("a pattern with many stars is soon done with a name that it nearly matches", () => {
  assertEquals(matches(`/w/${"*a".repeat(100)}b`, `/w/${"a".repeat(255)}`), false);
  assertEquals(matches(`/w/${"**/a/".repeat(100)}b`, `/w/${"a/".repeat(1000)}c`), false);
});

function find(
  patterns: readonly string[],
  entries: Readonly<Record<string, FakeEntry>>,
  maxDepth?: number,
): string[] {
  const disk = fakeDisk(entries);
  const globs = patterns.flatMap((pattern) => deniedGlobs(pattern, disk));
  return findDenied(globs, maxDepth, disk).map(({ path, kind }) => `${kind} ${path}`);
}

const TREE = {
  "/w/.env": { text: "" },
  "/w/a/.env": { text: "" },
  "/w/a/b/.env": { link: "/elsewhere" },
  "/w/a/secret/.env": { text: "" },
  "/w/loop": { link: "/w" },
} as const;

Deno.test("files, directories and links are found, and links are not followed", () => {
  assertEquals(find(["/w/**/.env", "/w/**/secret"], TREE), [
    "file /w/.env",
    "file /w/a/.env",
    "directory /w/a/secret",
    "link /w/a/b/.env",
  ]);
});

Deno.test("the depth limits how far is looked", () => {
  assertEquals(find(["/w/**/.env"], TREE, 0), []);
  assertEquals(find(["/w/**/.env"], TREE, 1), ["file /w/.env"]);
  assertEquals(find(["/w/**/.env"], TREE, 2), ["file /w/.env", "file /w/a/.env"]);
});

Deno.test("more than can be denied is an error, not a part of it", () => {
  const many = Object.fromEntries(
    Array.from({ length: 1001 }, (_, at) => [`/w/${at}`, { text: "" }]),
  );
  assertThrows(() => find(["/w/*"], many), RpcError, "cannot deny all");
});
