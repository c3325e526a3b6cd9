import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseServeOptions, SERVE_USAGE } from "../../src/cli/serve_options.ts";
import { DEFAULT_LIMITS } from "../../src/server/limits.ts";
import { UsageError } from "../../src/cli/usage_error.ts";

Deno.test("without options it listens on a free port of this machine", () => {
  assertEquals(parseServeOptions([]), {
    listen: { kind: "websocket", hostname: "127.0.0.1", port: 0 },
    graceMs: 5000,
    exitOnStdinClose: false,
    retainedBytes: 1024 * 1024,
    authentication: { kind: "none" },
    tls: undefined,
    limits: DEFAULT_LIMITS,
  });
});

Deno.test("every option is read, in both ways of writing it", () => {
  const expected = {
    listen: { kind: "unix", path: "/run/a=b" },
    graceMs: 250,
    exitOnStdinClose: true,
    retainedBytes: 33554432,
    authentication: { kind: "none" },
    tls: undefined,
    limits: DEFAULT_LIMITS,
  } as const;
  const rest = ["--exit-on-stdin-close", "--retain-bytes=33554432"];
  assertEquals(
    parseServeOptions(["--listen", "unix:/run/a=b", "--grace", "0.25", ...rest]),
    expected,
  );
  assertEquals(parseServeOptions([...rest, "--listen=unix:/run/a=b", "--grace=.25"]), expected);
  assertEquals(
    parseServeOptions(["--listen=stdio", ...rest, "--listen=unix:/run/a=b", "--grace=.25"]),
    expected,
  );
});

Deno.test("help comes before anything that is wrong", () => {
  assertEquals(parseServeOptions(["--help"]), "help");
  assertEquals(parseServeOptions(["--listen", "nonsense", "--help"]), "help");
});

Deno.test("the usage text knows every option", () => {
  for (const option of ["--listen", "--insecure-no-auth", "--grace", "--exit-on-stdin-close"]) {
    assertStringIncludes(SERVE_USAGE, option);
  }
});

Deno.test("addresses that others can reach are refused unless told plainly", () => {
  for (const host of ["0.0.0.0", "[::]", "10.0.0.1", "example.org"]) {
    const listen = ["--listen", `ws://${host}:80`];
    const error = assertThrows(() => parseServeOptions(listen), UsageError, "--insecure-no-auth");
    assertStringIncludes(error.message, host.replace(/[[\]]/g, ""));
    const options = parseServeOptions([...listen, "--insecure-no-auth"]);
    assertEquals(options === "help" ? undefined : options.listen.kind, "websocket");
  }
});

Deno.test("loopback, socket files and stdio need no permission", () => {
  for (
    const listen of ["ws://127.1.2.3:1", "ws://[::1]:1", "ws://localhost:1", "unix:a", "stdio"]
  ) {
    parseServeOptions(["--listen", listen]);
  }
});

Deno.test("what cannot be understood is refused and named", () => {
  const cases: [args: string[], named: string][] = [
    [["--listen", "ws://127.0.0.1"], "--listen: `ws://127.0.0.1`"],
    [["--listen", ""], "--listen: ``"],
    [["--listen"], "--listen"],
    [["--listen", "--grace"], "--listen"],
    [["--grace", "soon"], "`soon`"],
    [["--grace", ""], "``"],
    [["--grace", " "], "` `"],
    [["--grace", "5s"], "`5s`"],
    [["--grace", "Infinity"], "`Infinity`"],
    [["--grace", "NaN"], "`NaN`"],
    [["--grace=-1"], "`-1`"],
    [["--no-such"], "--no-such"],
    [["--exit-on-stdin-close=yes"], "--exit-on-stdin-close"],
    [["-x"], "-x"],
    [["word"], "word"],
    [["--", "word"], "word"],
  ];
  for (const [args, named] of cases) {
    assertThrows(() => parseServeOptions(args), UsageError, named);
  }
});

Deno.test("a retention that is no number of bytes, too small or too large is refused", () => {
  for (const text of ["", "1M", "-1", "1e6", "262143", "268435457"]) {
    assertThrows(() => parseServeOptions(["--retain-bytes", text]), UsageError, "--retain-bytes");
  }
});
