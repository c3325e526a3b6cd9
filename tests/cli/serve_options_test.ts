import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  AUTHENTICATION_FLAGS,
  type AuthenticationOptions,
} from "../../src/cli/authentication_options.ts";
import { LIMIT_FLAGS } from "../../src/cli/limit_options.ts";
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
  const options = [
    ...["--listen", "--insecure-no-auth", "--grace", "--exit-on-stdin-close", "--retain-bytes"],
    ...Object.keys({ ...AUTHENTICATION_FLAGS, ...LIMIT_FLAGS }).map((name) => `--${name}`),
    ...["--tls-cert", "--tls-key"],
  ];
  for (const option of options) assertStringIncludes(SERVE_USAGE, `  ${option} `);
  for (const limit of Object.values(DEFAULT_LIMITS)) {
    assertStringIncludes(SERVE_USAGE, `(default ${limit})`);
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

const DIGEST = "0123456789abcdefABCDEF".padEnd(64, "0");
const CAPABILITY = ["--ws-auth", "capability-token"];
const SIGNED = ["--ws-auth", "signed-bearer-token"];

Deno.test("the options of authentication are read, and allow to listen for others", () => {
  const cases: [args: string[], expected: AuthenticationOptions][] = [
    [[...CAPABILITY, "--ws-token-file", "/a b"], { kind: "tokenFile", path: "/a b" }],
    [[...CAPABILITY, "--ws-token-sha256", DIGEST], {
      kind: "tokenDigest",
      sha256: Uint8Array.fromHex(DIGEST),
    }],
    [[...SIGNED, "--ws-shared-secret-file=s"], {
      kind: "signedToken",
      secretPath: "s",
      issuer: undefined,
      audience: undefined,
      maxClockSkewSeconds: 30,
    }],
    [
      [
        ...[...SIGNED, "--ws-shared-secret-file=s", "--ws-issuer=i", "--ws-audience=a"],
        "--ws-max-clock-skew-seconds=0",
      ],
      { kind: "signedToken", secretPath: "s", issuer: "i", audience: "a", maxClockSkewSeconds: 0 },
    ],
  ];
  for (const [args, expected] of cases) {
    for (const listen of ["ws://0.0.0.0:80", "ws://127.0.0.1:80", "unix:a"]) {
      const options = parseServeOptions(["--listen", listen, ...args]);
      assertEquals(options === "help" ? undefined : options.authentication, expected);
    }
  }
});

Deno.test("options of authentication that contradict each other or lack one are refused", () => {
  const file = ["--ws-token-file", "f"];
  const secret = ["--ws-shared-secret-file", "s"];
  const cases: [args: string[], named: string][] = [
    [["--ws-auth", "password"], "--ws-auth: `password`"],
    [CAPABILITY, "--ws-token-file or --ws-token-sha256"],
    [[...CAPABILITY, ...file, "--ws-token-sha256", DIGEST], "exclude each other"],
    [[...CAPABILITY, ...file, ...secret], "--ws-shared-secret-file has no effect"],
    [[...CAPABILITY, ...file, "--ws-issuer=i"], "--ws-issuer has no effect"],
    [[...CAPABILITY, "--ws-token-file="], "--ws-token-file is empty"],
    [[...CAPABILITY, `--ws-token-sha256=${DIGEST}0`], "--ws-token-sha256"],
    [[...CAPABILITY, `--ws-token-sha256=${DIGEST.slice(1)}g`], "--ws-token-sha256"],
    [SIGNED, "needs --ws-shared-secret-file"],
    [[...SIGNED, ...secret, ...file], "--ws-token-file has no effect"],
    [[...SIGNED, ...secret, "--ws-audience="], "--ws-audience is empty"],
    [[...SIGNED, ...secret, "--ws-max-clock-skew-seconds=1.5"], "`1.5`"],
    [[...SIGNED, ...secret, "--ws-max-clock-skew-seconds=-1"], "`-1`"],
    [file, "give --ws-auth too"],
    [["--ws-audience=a"], "give --ws-auth too"],
    [[...CAPABILITY, ...file, "--insecure-no-auth"], "contradict each other"],
    [[...CAPABILITY, ...file, "--listen=stdio"], "--listen stdio"],
  ];
  for (const [args, named] of cases) {
    assertThrows(() => parseServeOptions(args), UsageError, named);
  }
});

Deno.test("a certificate and its key come together, for a port", () => {
  const both = ["--tls-cert=c", "--tls-key=k"];
  const options = parseServeOptions(both);
  assertEquals(options === "help" ? undefined : options.tls, { certPath: "c", keyPath: "k" });
  const cases: [args: string[], named: string][] = [
    [["--tls-cert=c"], "--tls-cert needs --tls-key"],
    [["--tls-key=k"], "--tls-key needs --tls-cert"],
    [[...both, "--listen=stdio"], "--tls-cert has no effect"],
    [[...both, "--listen=unix:a"], "--tls-cert has no effect"],
  ];
  for (const [args, named] of cases) {
    assertThrows(() => parseServeOptions(args), UsageError, named);
  }
});

Deno.test("limits are read, and refused if they are no positive numbers", () => {
  const options = parseServeOptions([
    ...["--max-connections=1", "--max-sessions=2", "--max-processes=3"],
    "--concurrent-requests=4",
  ]);
  assertEquals(options === "help" ? undefined : options.limits, {
    connections: 1,
    sessions: 2,
    processes: 3,
    concurrentRequests: 4,
  });
  for (const name of Object.keys(LIMIT_FLAGS)) {
    for (const value of ["", "0", "1e3", "x", "1000001"]) {
      assertThrows(() => parseServeOptions([`--${name}=${value}`]), UsageError, `--${name}: `);
    }
  }
});
