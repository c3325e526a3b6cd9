import { assertEquals, assertThrows } from "@std/assert";
import { RpcError } from "../../../src/protocol/errors.ts";
import { deniedGlobs } from "../../../src/sandbox/policy/denied_glob.ts";
import { findDenied } from "../../../src/sandbox/policy/find_denied.ts";
import { fakeDisk, type FakeEntry } from "../fake_disk.ts";

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
