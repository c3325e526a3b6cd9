import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { type PathConvention, PathUri, PathUriError } from "../../src/protocol/path_uri.ts";
import { parseAnyPathUri, parsePathUri } from "../../src/protocol/path_uri/parse.ts";
import type { PathParts } from "../../src/protocol/path_uri/parts.ts";
import { pick, type Random, seededRandom } from "../support/seeded_random.ts";

const REFUSED: readonly [text: string, code: string, reason: RegExp][] = [
  ["http://example.com/file", "scheme", /scheme file, not 'http'/],
  ["https://example.com", "scheme", /'https'/],
  ["HTTP://%", "scheme", /'http'/],
  ["ssh://host/workspace", "scheme", /'ssh'/],
  ["vscode-remote://ssh-remote+host/x", "scheme", /'vscode-remote'/],
  ["untitled:Untitled-1", "scheme", /'untitled'/],
  ["files:///x", "scheme", /'files'/],
  ["", "not-a-uri", /relative or native path/],
  ["file", "not-a-uri", /relative or native path/],
  ["src/lib.rs", "not-a-uri", /relative or native path/],
  ["./a", "not-a-uri", /relative or native path/],
  ["/etc/passwd", "not-a-uri", /relative or native path/],
  ["//server/share", "not-a-uri", /relative or native path/],
  ["\\\\server\\share", "not-a-uri", /relative or native path/],
  ["C:\\Users", "not-a-uri", /Windows path/],
  ["c:/Users", "not-a-uri", /Windows path/],
  ["?x", "not-a-uri", /relative or native path/],
  ["file://user@host/x", "credentials", /credentials/],
  ["file://user:password@host/x", "credentials", /credentials/],
  ["file://@/x", "credentials", /credentials/],
  ["file:\\\\user@host\\x", "credentials", /credentials/],
  ["file://host:80/x", "port", /port/],
  ["file://localhost:80/x", "port", /port/],
  ["file://[::1]:80/x", "port", /port/],
  ["file://host:/x", "port", /port/],
  ["file://a b/x", "host", /'a b' is not a valid host/],
  ["file://%3f/x", "host", /'%3f' is not a valid host/],
  ["file://[::1/x", "host", /not a valid host/],
  ["file://host:x/x", "host", /not a valid host/],
  ["file://./COM1", "host", /device namespace/],
  ["file://%2E/COM1", "host", /device namespace/],
  ["file://server/C:/x", "host", /both a server and a drive/],
  ["file://server//C:/x", "host", /both a server and a drive/],
  ["file://server/C|/x", "host", /both a server and a drive/],
  ["file:\\\\server\\C:", "host", /both a server and a drive/],
  [" \tfi\nle:/\t/server/C:/x", "host", /both a server and a drive/],
  ["file:///x?", "query", /query/],
  ["file:///x?version=1", "query", /query/],
  ["file:///x?a#b", "query", /query/],
  ["file:///x#", "fragment", /fragment/],
  ["file:///x#L1", "fragment", /fragment/],
  ["file:///x#a?b", "fragment", /fragment/],
  ["file:///tmp/%00", "nul", /NUL/],
  ["file:///tmp/a%00b", "nul", /NUL/],
  ["file:///%%00", "nul", /NUL/],
  ["file:///a\0b", "nul", /NUL/],
  ["file://server/share/%00", "nul", /NUL/],
  ["file:///%00/other/L2E", "nul", /NUL/],
  ["file:///%00/bad/path", "nul", /NUL/],
  ["file:///a\ud800", "encoding", /unpaired surrogate/],
  ["file:///\udc00/a", "encoding", /unpaired surrogate/],
];

for (const [text, code, reason] of REFUSED) {
  Deno.test(`parse refuses ${JSON.stringify(text)}`, () => {
    const error = assertThrows(() => PathUri.parse(text), PathUriError);
    assertEquals(error.code, code);
    assertMatch(error.message, reason);
  });
}

const ACCEPTED: readonly [text: string, canonical: string, convention: PathConvention][] = [
  ["file:///", "file:///", "posix"],
  ["file:///workspace/src", "file:///workspace/src", "posix"],
  ["file:///root/.cache/x..y/...", "file:///root/.cache/x..y/...", "posix"],
  ["FILE:///workspace/src", "file:///workspace/src", "posix"],
  ["file:/workspace/src", "file:///workspace/src", "posix"],
  ["file:workspace", "file:///workspace", "posix"],
  ["file:", "file:///", "posix"],
  ["file://", "file:///", "posix"],
  [" file:///a\n", "file:///a", "posix"],
  ["file:///a\tb", "file:///ab", "posix"],
  ["file://localhost/workspace", "file:///workspace", "posix"],
  ["file://LocalHost/workspace", "file:///workspace", "posix"],
  ["file://%6cocalhost/workspace", "file:///workspace", "posix"],
  ["file://localhost", "file:///", "posix"],
  ["file://localhost/C:/x", "file:///C:/x", "windows"],
  // Dot segments, plain and encoded.
  ["file:///a/./b/../c", "file:///a/c", "posix"],
  ["file:///a/%2e/b/%2E%2e/c", "file:///a/c", "posix"],
  ["file:///a/.%2e/b", "file:///b", "posix"],
  ["file:///../../a", "file:///a", "posix"],
  ["file:///a/..", "file:///", "posix"],
  ["file:///a/.", "file:///a/", "posix"],
  ["file:///C:/../..", "file:///C:/", "windows"],
  ["file:///C:/a/%2e%2e/%2e%2e/b", "file:///C:/b", "windows"],
  ["file://server/share/../..", "file://server/", "windows"],
  // Slashes.
  ["file:///a/", "file:///a/", "posix"],
  ["file:////a", "file:///a", "posix"],
  ["file:////server/share", "file:///server/share", "posix"],
  ["file:///a//b//", "file:///a//b//", "posix"],
  ["file:///a\\b", "file:///a/b", "posix"],
  ["file:///a%2Fb%5Cc", "file:///a%2Fb%5Cc", "posix"],
  ["file:///a%2fb%5cc", "file:///a%2fb%5cc", "posix"],
  // Escapes keep their spelling.
  ["file:///%41%7e", "file:///%41%7e", "posix"],
  ["file:///a b", "file:///a%20b", "posix"],
  ["file:///a%3Fb%23c%25d", "file:///a%3Fb%23c%25d", "posix"],
  ["file:///100%", "file:///100%", "posix"],
  ["file:///%zz", "file:///%zz", "posix"],
  ["file:///%2500", "file:///%2500", "posix"],
  ["file:///tmp/%FF", "file:///tmp/%FF", "posix"],
  ["file:///n\u00e9\u{1F600}", "file:///n%C3%A9%F0%9F%98%80", "posix"],
  // Drives.
  ["file:///C:", "file:///C:", "windows"],
  ["file:///C:/", "file:///C:/", "windows"],
  ["file:///c:/Users", "file:///c:/Users", "windows"],
  ["file:///Z:/Users", "file:///Z:/Users", "windows"],
  ["file://C:/Users", "file:///C:/Users", "windows"],
  ["file:C:/Users", "file:///C:/Users", "windows"],
  ["file:///C|/Users", "file:///C:/Users", "windows"],
  ["file:///c|", "file:///c:", "windows"],
  ["file:////C:/Users", "file:///C:/Users", "windows"],
  ["file:///C:\\Users\\x", "file:///C:/Users/x", "windows"],
  // What only looks like one.
  ["file:///C%3A/x", "file:///C%3A/x", "posix"],
  ["file:///C%7C/x", "file:///C%7C/x", "posix"],
  ["file:///C:x", "file:///C:x", "posix"],
  ["file:///CC:/x", "file:///CC:/x", "posix"],
  ["file:///1:/x", "file:///1:/x", "posix"],
  ["file:///a/C:/x", "file:///a/C:/x", "posix"],
  ["file:///a|/x|y", "file:///a:/x|y", "windows"],
  // Servers.
  ["file://server", "file://server/", "windows"],
  ["file://server/share/x", "file://server/share/x", "windows"],
  ["file://SERVER/Share", "file://server/Share", "windows"],
  ["file:\\\\server\\share\\x", "file://server/share/x", "windows"],
  ["file://[::1]/share", "file://[::1]/share", "windows"],
  ["file://127.0.0.1/share", "file://127.0.0.1/share", "windows"],
  ["file://server/C%3A/x", "file://server/C%3A/x", "windows"],
];

for (const [text, canonical, convention] of ACCEPTED) {
  Deno.test(`parse accepts ${JSON.stringify(text)}`, () => {
    const uri = PathUri.parse(text);
    assertEquals([uri.toString(), uri.convention], [canonical, convention]);
    assertEquals(PathUri.parse(canonical), uri);
    assertEquals(JSON.stringify({ uri }), JSON.stringify({ uri: canonical }));
  });
}

Deno.test("the short cut for plain URIs gives what parsing in full gives", () => {
  const random = seededRandom(1);
  let short = 0;
  for (let round = 0; round < 20_000; round++) {
    const text = `file://${randomPath(random)}`;
    const outcome = outcomeOf(() => parsePathUri(text));
    assertEquals(outcome, outcomeOf(() => parseAnyPathUri(text)), JSON.stringify(text));
    if (typeof outcome !== "string" && outcome.text === text) short++;
  }
  // The property would hold for nothing if hardly a text were canonical as it is.
  assertEquals(short > 1000, true, `${short} canonical texts`);
});

Deno.test("every printable character is read the same by both ways to parse", () => {
  for (let code = 0; code < 0x180; code++) {
    const character = String.fromCharCode(code);
    for (
      const text of [`file:///${character}`, `file:///a${character}b`, `file:///x/${character}/`]
    ) {
      assertEquals(
        outcomeOf(() => parsePathUri(text)),
        outcomeOf(() => parseAnyPathUri(text)),
        JSON.stringify(text),
      );
    }
  }
});

Deno.test("canonical text is a fixed point of parsing", () => {
  const random = seededRandom(2);
  for (let round = 0; round < 5000; round++) {
    const text = `file:${pick(random, ["//", "//server", "", "///"])}${randomPath(random)}`;
    const parts = partsOf(text);
    if (parts) assertEquals(partsOf(parts.text), parts, JSON.stringify(text));
  }
});

Deno.test("a path URI cannot be changed", () => {
  const uri = PathUri.parse("file:///a");
  assertThrows(() => Object.assign(uri, { parts: undefined }), TypeError);
  assertEquals(uri.toString(), "file:///a");
});

function outcomeOf(parse: () => PathParts): PathParts | string {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof PathUriError)) throw error;
    return error.code;
  }
}

function partsOf(text: string): PathParts | undefined {
  const outcome = outcomeOf(() => parsePathUri(text));
  return typeof outcome === "string" ? undefined : outcome;
}

function randomPath(random: Random): string {
  let path = "/";
  for (let pieces = random(8); pieces > 0; pieces--) {
    path += pick(random, [
      "/",
      "/",
      "/a",
      "/src",
      ".",
      "..",
      "/.",
      "/..",
      "/.git",
      "C:",
      "/C:/",
      "c|",
      "%2e",
      "%2F",
      "%00",
      "%41",
      "~",
      "-x_y",
      "(1)",
      "=",
      "@",
      "|",
      "^",
      "[",
      "\\",
      "?",
      "#",
      " ",
      "\u00e9",
      ":",
    ]);
  }
  return path;
}
