import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  hostConvention,
  type PathConvention,
  PathUri,
  PathUriError,
} from "../../src/protocol/path_uri.ts";
import { pick, seededRandom } from "../support/seeded_random.ts";

const FROM_NATIVE: Readonly<Record<PathConvention, readonly [path: string, uri: string][]>> = {
  posix: [
    ["/", "file:///"],
    ["/usr/bin", "file:///usr/bin"],
    ["/root/.cache", "file:///root/.cache"],
    ["/a b", "file:///a%20b"],
    ["/a?b#c%d", "file:///a%3Fb%23c%25d"],
    ["/a%2Fb", "file:///a%252Fb"],
    ["/a\\b", "file:///a%5Cb"],
    ["/tab\tline\n", "file:///tab%09line%0A"],
    ["/a ", "file:///a%20"],
    ["/n\u00e9/\u{1F600}", "file:///n%C3%A9/%F0%9F%98%80"],
    ["/\ufeffmark", "file:///%EF%BB%BFmark"],
    ["/a|b^c[d]'~", "file:///a|b^c[d]'~"],
    ["//a///b//", "file:///a/b"],
    ["/a/", "file:///a"],
    ["/a/./b/../c/.", "file:///a/c"],
    ["/../..", "file:///"],
    ["/%2e%2e/a", "file:///%252e%252e/a"],
    // Not to be read back as drives.
    ["/C:", "file:///C%3A"],
    ["/c:/x", "file:///c%3A/x"],
    ["//C:/x", "file:///C%3A/x"],
    ["/C|/x", "file:///C%7C/x"],
    ["/a/C:/x", "file:///a/C:/x"],
    ["/C:x", "file:///C:x"],
    // Nor as UNC paths or opaque URIs.
    ["/bad/path/L2E", "file:///bad/path/L2E"],
    ["/%00/bad/path/L2E", "file:///%2500/bad/path/L2E"],
    // What no ordinary URI can hold.
    ["/tmp/a\0b", "file:///%00/bad/path/L3RtcC9hAGI"],
    ["/a/../\0", "file:///%00/bad/path/L2EvLi4vAA"],
  ],
  windows: [
    ["C:\\", "file:///C:/"],
    ["c:/", "file:///c:/"],
    ["C:\\Users\\Alice Smith", "file:///C:/Users/Alice%20Smith"],
    ["C:/Users\\x", "file:///C:/Users/x"],
    ["C:\\a\\\\b\\", "file:///C:/a/b"],
    ["C:\\a\\.\\..\\..\\..\\b", "file:///C:/b"],
    ["C:\\..", "file:///C:/"],
    ["C:\\100%\\a#b", "file:///C:/100%25/a%23b"],
    ["C:\\n\u00e9\u{1F600}", "file:///C:/n%C3%A9%F0%9F%98%80"],
    ["C:\\D:\\x", "file:///C:/D:/x"],
    ["\\\\server\\share", "file://server/share"],
    ["\\\\server\\share\\", "file://server/share"],
    ["//server/share/x", "file://server/share/x"],
    ["\\\\SERVER\\Share\\X", "file://server/Share/X"],
    ["\\\\server\\share\\..\\..\\x", "file://server/share/x"],
    ["\\\\server\\C:\\x", "file://server/C%3A/x"],
    ["\\\\server\\my share", "file://server/my%20share"],
    // What no ordinary URI can hold.
    ["\\\\.\\COM1\\", "file:///%00/bad/path/XABcAC4AXABDAE8ATQAxAFwA"],
    ["C:\\a\0", "file:///%00/bad/path/QwA6AFwAYQAAAA"],
    ["C:\\\ud800", "file:///%00/bad/path/QwA6AFwAANg"],
  ],
};

for (const convention of ["posix", "windows"] as const) {
  for (const [path, uri] of FROM_NATIVE[convention]) {
    Deno.test(`${convention} path ${JSON.stringify(path)} becomes ${uri}`, () => {
      const made = PathUri.fromNativePath(path, convention);
      assertEquals([made.toString(), made.convention], [uri, convention]);
      assertEquals(PathUri.parse(uri), made);
      // The native path of a URI is a path with that URI.
      assertEquals(PathUri.fromNativePath(made.toNativePath(convention), convention), made);
      assertEquals(PathUri.fromNativePath(made.toNativeBytes(convention), convention), made);
    });
  }
}

const TO_NATIVE: Readonly<Record<PathConvention, readonly [uri: string, path: string][]>> = {
  posix: [
    ["file:///", "/"],
    ["file:///usr/bin", "/usr/bin"],
    ["file:///usr/bin/", "/usr/bin"],
    ["file:///usr//bin", "/usr/bin"],
    ["file:///a%20b", "/a b"],
    ["file:///a%252Fb", "/a%2Fb"],
    ["file:///100%/%zz/%4", "/100%/%zz/%4"],
    ["file:///%41%7e", "/A~"],
    ["file:///n%C3%A9", "/n\u00e9"],
    ["file:///%EF%BB%BFmark", "/\ufeffmark"],
    ["file:///C%3A/x", "/C:/x"],
    // An encoded slash separates, and what it separates is resolved.
    ["file:///etc%2Fpasswd", "/etc/passwd"],
    ["file:///etc%2fpasswd", "/etc/passwd"],
    ["file:///gone%2F..%2Fetc", "/etc"],
    ["file:///gone%2F%2e%2e%2Fetc", "/etc"],
    ["file:///etc%2F..%2F..%2F..%2Fetc", "/etc"],
    ["file:///%2F", "/"],
    ["file:///%2F%2Fserver", "/server"],
    ["file:///a%5C..%5Cb", "/a\\..\\b"],
    ["file:///%00/bad/path/L3RtcC9hAGI", "/tmp/a\0b"],
  ],
  windows: [
    ["file:///C:", "C:\\"],
    ["file:///C:/", "C:\\"],
    ["file:///c:/a/b", "c:\\a\\b"],
    ["file:///C:/a//b/", "C:\\a\\b"],
    ["file:///C:/a%20b", "C:\\a b"],
    ["file:///C:/n%C3%A9", "C:\\n\u00e9"],
    ["file:///C:/a%252Fb", "C:\\a%2Fb"],
    ["file:///C:/a%5Cb%2Fc", "C:\\a\\b\\c"],
    ["file:///C:/a%5C..%5C..%5C..%5Cb", "C:\\b"],
    ["file:///C:/%5C%5Cserver%5Cshare", "C:\\server\\share"],
    ["file://server/share", "\\\\server\\share"],
    ["file://server/share/", "\\\\server\\share"],
    ["file://server/share/x/y", "\\\\server\\share\\x\\y"],
    ["file://server/share/%2F..%2F..%2F..%2Fx", "\\\\server\\share\\x"],
    ["file:///%00/bad/path/XABcAC4AXABDAE8ATQAxAFwA", "\\\\.\\COM1\\"],
    ["file:///%00/bad/path/QwA6AFwAANg", "C:\\\ud800"],
  ],
};

for (const convention of ["posix", "windows"] as const) {
  for (const [uri, path] of TO_NATIVE[convention]) {
    Deno.test(`${uri} is the ${convention} path ${JSON.stringify(path)}`, () => {
      assertEquals(PathUri.parse(uri).toNativePath(convention), path);
    });
  }
}

Deno.test("namespaces and servers that are no URL hosts round-trip as opaque URIs", () => {
  const paths = [
    "\\\\?\\C:\\a\\..\\b",
    "\\\\?\\UNC\\server\\share",
    "\\\\?\\Volume{00000000-0000-0000-0000-000000000000}\\x",
    "\\\\.\\pipe\\x",
    "\\\\localhost\\share",
    "\\\\a b\\share",
    "\\\\a%41\\share",
    "\\\\1\\share",
    "\\\\m\u00fcnchen\\share",
    // The sign for kelvin, which lower case turns into a letter k.
    "\\\\\u212a\\share",
    "\\\\server\\share\\\udfff",
    "\\\\server\\share\\\0",
  ];
  for (const path of paths) {
    const uri = PathUri.fromNativePath(path, "windows");
    assertMatch(uri.toString(), /^file:\/\/\/%00\/bad\/path\/[\w-]+$/, path);
    assertEquals(uri.convention, "windows");
    assertEquals(PathUri.parse(uri.toString()).toNativePath("windows"), path);
  }
});

Deno.test("a namespace written with plain slashes is the same namespace", () => {
  const uri = PathUri.fromNativePath("//./COM1", "windows");
  assertEquals(uri.convention, "windows");
  assertEquals(uri.toNativePath("windows"), "\\\\./COM1");
  assertEquals(PathUri.parse(uri.toString()), uri);
});

const NOT_ABSOLUTE: Readonly<Record<PathConvention, readonly string[]>> = {
  posix: ["", "a", "./a", "../a", "~/a", "C:\\x", "\\a", "\0", "file:///a"],
  windows: [
    "",
    "a",
    "\\a",
    "/a",
    "C:",
    "C:a",
    "1:\\a",
    "CC:\\a",
    "a\0",
    "\\\\",
    "\\\\server",
    "\\\\server\\",
    "\\\\server\\\\share",
    "\\\\server\\..\\x",
    "\\\\server\\.",
    "\\\\.",
    "\\??\\C:\\",
    "file:///C:/x",
  ],
};

for (const convention of ["posix", "windows"] as const) {
  for (const path of NOT_ABSOLUTE[convention]) {
    Deno.test(`${JSON.stringify(path)} is no absolute ${convention} path`, () => {
      const error = assertThrows(() => PathUri.fromNativePath(path, convention), PathUriError);
      assertEquals(error.code, "not-absolute");
    });
  }
}

const NOT_NATIVE: readonly [uri: string, host: PathConvention, code: string, reason: RegExp][] = [
  ["file:///C:/x", "posix", "foreign", /is a Windows path, .* POSIX/],
  ["file:////C:/x", "posix", "foreign", /Windows/],
  ["file://server/share", "posix", "foreign", /Windows/],
  ["file:///%00/bad/path/XABcAC4AXABDAE8ATQAxAFwA", "posix", "foreign", /Windows/],
  ["file:///usr/bin", "windows", "foreign", /is a POSIX path, .* Windows/],
  ["file:///C%3A/x", "windows", "foreign", /POSIX/],
  ["file:///%00/bad/path/L3RtcC9hAGI", "windows", "foreign", /POSIX/],
  ["file://server", "windows", "host", /names no share/],
  ["file://server/a%5Cb/c", "windows", "host", /names no share/],
  ["file://server/..%2Fb", "windows", "host", /names no share/],
  ["file:///C:/%FF", "windows", "encoding", /no Windows path can hold/],
  // Opaque spellings of paths that have ordinary URIs: /etc, /etc/../x, C:\x.
  ["file:///%00/bad/path/L2V0Yw", "posix", "opaque", /has an ordinary URI/],
  ["file:///%00/bad/path/L2V0Yy8uLi94", "posix", "opaque", /has an ordinary URI/],
  ["file:///%00/bad/path/QwA6AFwAeAA", "windows", "opaque", /has an ordinary URI/],
];

for (const [uri, host, code, reason] of NOT_NATIVE) {
  Deno.test(`${uri} is refused as a ${host} path`, () => {
    const parsed = PathUri.parse(uri);
    for (const convert of [() => parsed.toNativePath(host), () => parsed.toNativeBytes(host)]) {
      const error = assertThrows(convert, PathUriError);
      assertEquals(error.code, code);
      assertMatch(error.message, reason);
    }
  });
}

for (
  const [payload, what] of [
    ["", "nothing"],
    ["not*base64", "no base64"],
    ["YQ==", "padding"],
    ["L2F=", "stray padding"],
    ["L2R", "stray last bits"],
    ["L2E/extra", "a further segment"],
    ["L2E/", "a slash"],
    ["L-_+", "the other alphabet"],
    ["YQ", "a relative POSIX path"],
    ["QwA6AGEA", "a drive-relative path"],
    ["QwA6AFwAY", "half a character"],
  ]
) {
  Deno.test(`an opaque URI holding ${what} is refused`, () => {
    const error = assertThrows(
      () => PathUri.parse(`file:///%00/bad/path/${payload}`),
      PathUriError,
    );
    assertEquals(error.code, "opaque");
  });
}

Deno.test("POSIX bytes that are not UTF-8 survive, and are refused as text", () => {
  const bytes = new Uint8Array([0x2f, 0x74, 0x2f, 0xff, 0x80, 0x41]);
  const uri = PathUri.fromNativePath(bytes, "posix");
  assertEquals(uri.toString(), "file:///t/%FF%80A");
  assertEquals(PathUri.parse(uri.toString()).toNativeBytes("posix"), bytes);
  const error = assertThrows(() => uri.toNativePath("posix"), PathUriError);
  assertEquals(error.code, "encoding");
  assertMatch(error.message, /not UTF-8/);

  const packed = PathUri.fromNativePath(new Uint8Array([0x2f, 0x00, 0xff]), "posix");
  assertEquals(packed.toNativeBytes("posix"), new Uint8Array([0x2f, 0x00, 0xff]));
  assertThrows(() => packed.toNativePath("posix"), PathUriError, "not UTF-8");
});

Deno.test("text that its convention cannot encode is refused, not replaced", () => {
  for (const path of ["/\ud800", "/a/\udc00b", "/\0\ud800"]) {
    const error = assertThrows(() => PathUri.fromNativePath(path, "posix"), PathUriError);
    assertEquals(error.code, "encoding");
  }
  const odd = new Uint8Array([0x43, 0x00, 0x3a]);
  assertThrows(() => PathUri.fromNativePath(odd, "windows"), PathUriError, "even number");
});

Deno.test("the host's own convention is the default", () => {
  const path = hostConvention() === "windows" ? "C:\\a" : "/a";
  const uri = PathUri.fromNativePath(path);
  assertEquals(uri.convention, hostConvention());
  assertEquals(uri.toNativePath(), path);
  assertEquals(uri.toNativeBytes(), uri.toNativeBytes(hostConvention()));
});

Deno.test("any bytes round-trip as a POSIX path", () => {
  const random = seededRandom(3);
  for (let round = 0; round < 5000; round++) {
    const bytes = [0x2f];
    for (let segments = random(5); segments >= 0; segments--) {
      const segment = Array.from(
        { length: 1 + random(6) },
        // A slash would split the segment, and a NUL in most paths would leave too few ordinary ones.
        () => pick(random, [random(256), random(256), 0x25, 0x32, 0x65, 0x43, 0x3a, 0x7c, 0x2e]),
      ).map((byte) => byte === 0x2f || (byte === 0 && random(4) > 0) ? 0x61 : byte);
      if (!segment.some((byte) => byte !== 0x2e)) segment.push(0x61);
      bytes.push(...segment, 0x2f);
    }
    bytes.pop();
    const path = new Uint8Array(bytes);
    const uri = PathUri.fromNativePath(path, "posix");
    assertEquals(uri.convention, "posix");
    const parsed = PathUri.parse(uri.toString());
    assertEquals(parsed.toString(), uri.toString());
    assertEquals(parsed.toNativeBytes("posix"), path, uri.toString());
    assertEquals(parsed.parent() === undefined, bytes.includes(0));
  }
});

Deno.test("any UTF-16 round-trips as a Windows path", () => {
  const random = seededRandom(4);
  for (let round = 0; round < 5000; round++) {
    let path = pick(random, [
      "C:",
      "z:",
      "\\\\server\\share",
      "\\\\ser-ver\\C:",
      "\\\\?\\C:",
      "\\\\.\\x",
    ]);
    for (let segments = random(5); segments >= 0; segments--) {
      const length = 1 + random(5);
      const segment = Array.from({ length }, () =>
        String.fromCharCode(
          pick(random, [random(0x80), random(0x80), random(0x10000), 0xd800 + random(0x800), 0x25]),
        )).join("").replace(/[\\/]/g, "x");
      path += `\\${/^\.+$/.test(segment) ? "x" : segment}`;
    }
    const uri = PathUri.fromNativePath(path, "windows");
    assertEquals(uri.convention, "windows");
    const parsed = PathUri.parse(uri.toString());
    assertEquals(parsed.toString(), uri.toString());
    assertEquals(parsed.toNativePath("windows"), path, uri.toString());
    assertEquals(
      PathUri.fromNativePath(parsed.toNativeBytes("windows"), "windows").toString(),
      uri.toString(),
    );
  }
});
