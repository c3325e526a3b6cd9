import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import type { AuthenticationOptions } from "../../src/cli/authentication_options.ts";
import { usageText } from "../../src/cli/command_manual.ts";
import {
  parseServeArguments,
  SERVE_MANUAL,
  type ServeOptions,
  serveOptions,
} from "../../src/cli/serve_options.ts";
import { Configuration, type Layer } from "../../src/config/configuration.ts";
import { environmentLayer } from "../../src/config/environment_layer.ts";
import { optionOf, settingNames } from "../../src/config/settings.ts";
import { DEFAULT_LIMITS, DEFAULT_MEMORY } from "../../src/server/limits.ts";

const DEFAULT_MEMORY_SETTINGS = {
  budgetBytes: DEFAULT_MEMORY.budgetBytes,
  messageBytes: DEFAULT_MEMORY.messageBytes,
};

const LOG = { level: "warn", format: "text" } as const;

/** What a command line asks for, over what other layers say. */
function optionsOf(args: string[], ...below: Layer[]): ServeOptions {
  const given = parseServeArguments(args);
  assert(typeof given !== "string");
  return serveOptions(new Configuration([...below, given.commandLine]));
}

/** A command line that is refused, over what other layers say. */
function assertRefused(args: string[], named: string, ...below: Layer[]): void {
  const error = assertThrows(() => optionsOf(args, ...below), Error, named);
  assert(["UsageError", "ConfigurationError"].includes(error.name), error.stack);
}

Deno.test("without options it listens on a free port of this machine", () => {
  assertEquals(optionsOf([]), {
    listen: { kind: "websocket", hostname: "127.0.0.1", port: 0 },
    graceMs: 5000,
    exitOnStdinClose: false,
    exitWhenIdleMs: 0,
    sessionRetentionMs: 30_000,
    maxSessionRetentionMs: 604_800_000,
    retainOnDiskBytes: 1024 ** 3,
    pingIntervalMs: 30_000,
    retainedBytes: 1024 * 1024,
    authentication: { kind: "none" },
    tls: undefined,
    limits: DEFAULT_LIMITS,
    sandboxMechanism: "auto",
    forbidPortForwarding: false,
    commandLimits: undefined,
    memory: DEFAULT_MEMORY_SETTINGS,
    log: LOG,
    auditLog: undefined,
  });
});

Deno.test("every option is read, in both ways of writing it", () => {
  const expected = {
    listen: { kind: "unix", path: "/run/a=b" },
    graceMs: 250,
    exitOnStdinClose: true,
    exitWhenIdleMs: 0,
    sessionRetentionMs: 30_000,
    maxSessionRetentionMs: 604_800_000,
    retainOnDiskBytes: 1024 ** 3,
    pingIntervalMs: 30_000,
    retainedBytes: 33554432,
    authentication: { kind: "none" },
    tls: undefined,
    limits: DEFAULT_LIMITS,
    forbidPortForwarding: false,
    sandboxMechanism: "auto",
    commandLimits: undefined,
    memory: DEFAULT_MEMORY_SETTINGS,
    log: LOG,
    auditLog: undefined,
  } as const;
  const rest = ["--exit-on-stdin-close", "--retain-bytes=33554432"];
  assertEquals(
    optionsOf(["--listen", "unix:/run/a=b", "--grace", "0.25", ...rest]),
    expected,
  );
  assertEquals(optionsOf([...rest, "--listen=unix:/run/a=b", "--grace=.25"]), expected);
  assertEquals(
    optionsOf(["--listen=stdio", ...rest, "--listen=unix:/run/a=b", "--grace=.25"]),
    expected,
  );
});

Deno.test("help comes before anything that is wrong", () => {
  assertEquals(parseServeArguments(["--help"]), "help");
  assertEquals(parseServeArguments(["-h"]), "help");
  assertEquals(parseServeArguments(["--listen", "nonsense", "--help"]), "help");
  assertEquals(parseServeArguments(["--help-all"]), "help-all");
});

Deno.test("the usage text knows every option", () => {
  const usage = usageText(SERVE_MANUAL, "help-all");
  for (const name of settingNames("serve")) {
    assertMatch(usage, new RegExp(`^  --${optionOf(name)}[ \n]`, "m"));
  }
  for (const limit of Object.values(DEFAULT_LIMITS)) {
    assertMatch(usage.replaceAll(/\s+/g, " "), new RegExp(`\\(default ${limit}\\)`));
  }
  for (const line of usage.split("\n")) assert(line.length <= 100, line);
});

Deno.test("addresses that others can reach are refused unless told plainly", () => {
  for (const host of ["0.0.0.0", "[::]", "10.0.0.1", "example.org"]) {
    const listen = ["--listen", `ws://${host}:80`];
    assertRefused(listen, `refusing to listen on ${host.replace(/[[\]]/g, "")} without`);
    assertRefused(listen, "--insecure-no-auth");
    assertEquals(optionsOf([...listen, "--insecure-no-auth"]).listen.kind, "websocket");
  }
});

Deno.test("loopback, socket files and stdio need no permission", () => {
  for (
    const listen of ["ws://127.1.2.3:1", "ws://[::1]:1", "ws://localhost:1", "unix:a", "stdio"]
  ) {
    optionsOf(["--listen", listen]);
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
    assertRefused(args, named);
  }
});

Deno.test("a retention that is no number of bytes, too small or too large is refused", () => {
  for (const text of ["", "1M", "-1", "1e6", "262143", "268435457"]) {
    assertRefused(["--retain-bytes", text], "--retain-bytes");
  }
});

const DIGEST = "0123456789abcdefABCDEF".padEnd(64, "0");
const CAPABILITY = ["--ws-auth", "capability-token"];
const SIGNED = ["--ws-auth", "signed-bearer-token"];

Deno.test("the options of authentication are read, and allow to listen for others", () => {
  const cases: [args: string[], expected: AuthenticationOptions][] = [
    [[...CAPABILITY, "--ws-token-file", "/a b"], {
      kind: "tokenFile",
      file: { path: "/a b", setting: "--ws-token-file" },
    }],
    [[...CAPABILITY, "--ws-token-sha256", DIGEST], {
      kind: "tokenDigest",
      sha256: Uint8Array.fromHex(DIGEST),
    }],
    [[...SIGNED, "--ws-shared-secret-file=s"], {
      kind: "signedToken",
      secret: { path: "s", setting: "--ws-shared-secret-file" },
      issuer: undefined,
      audience: undefined,
      maxClockSkewSeconds: 30,
    }],
    [
      [
        ...[...SIGNED, "--ws-shared-secret-file=s", "--ws-issuer=i", "--ws-audience=a"],
        "--ws-max-clock-skew-seconds=0",
      ],
      {
        kind: "signedToken",
        secret: { path: "s", setting: "--ws-shared-secret-file" },
        issuer: "i",
        audience: "a",
        maxClockSkewSeconds: 0,
      },
    ],
  ];
  for (const [args, expected] of cases) {
    for (const listen of ["ws://0.0.0.0:80", "ws://127.0.0.1:80", "unix:a"]) {
      const options = optionsOf(["--listen", listen, ...args]);
      assertEquals(options.authentication, expected);
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
    [[...CAPABILITY, "--ws-token-file="], "--ws-token-file: `` is not a path"],
    [[...CAPABILITY, `--ws-token-sha256=${DIGEST}0`], "--ws-token-sha256"],
    [[...CAPABILITY, `--ws-token-sha256=${DIGEST.slice(1)}g`], "--ws-token-sha256"],
    [SIGNED, "needs --ws-shared-secret-file"],
    [[...SIGNED, ...secret, ...file], "--ws-token-file has no effect"],
    [[...SIGNED, ...secret, "--ws-audience="], "--ws-audience: `` is not a text"],
    [[...SIGNED, ...secret, "--ws-max-clock-skew-seconds=1.5"], "`1.5`"],
    [[...SIGNED, ...secret, "--ws-max-clock-skew-seconds=-1"], "`-1`"],
    [file, "give --ws-auth too"],
    [["--ws-audience=a"], "give --ws-auth too"],
    [[...CAPABILITY, ...file, "--insecure-no-auth"], "contradict each other"],
    [[...CAPABILITY, ...file, "--listen=stdio"], "--listen stdio"],
  ];
  for (const [args, named] of cases) {
    assertRefused(args, named);
  }
});

/** A layer of the environment. */
function environment(values: Readonly<Record<string, string>>): Layer {
  return environmentLayer(values).layer;
}

Deno.test("what a later layer replaced is of no effect", () => {
  const tokens = environment({
    REMEX_WS_AUTH: "capability-token",
    REMEX_WS_TOKEN_FILE: "/t",
  });
  const none = { kind: "none" } as const;
  const secret = { path: "s", setting: "--ws-shared-secret-file" };
  assertEquals(optionsOf(["--listen=stdio"], tokens).authentication, none);
  assertEquals(optionsOf(["--ws-auth=none"], tokens).authentication, none);
  assertEquals(optionsOf([...SIGNED, "--ws-shared-secret-file=s"], tokens).authentication, {
    ...{ kind: "signedToken", secret, maxClockSkewSeconds: 30 },
    ...{ issuer: undefined, audience: undefined },
  });
  assertEquals(optionsOf([`--ws-token-sha256=${DIGEST}`], tokens).authentication, {
    kind: "tokenDigest",
    sha256: Uint8Array.fromHex(DIGEST),
  });
  const insecure = environment({ REMEX_INSECURE_NO_AUTH: "true" });
  assertEquals(
    optionsOf([...CAPABILITY, "--ws-token-file=t"], insecure).authentication.kind,
    "tokenFile",
  );
  const tls = environment({ REMEX_TLS_CERT: "c", REMEX_TLS_KEY: "k" });
  assertEquals(optionsOf(["--listen=unix:a"], tls).tls, undefined);
});

Deno.test("what a later layer says must have an effect, and takes no protection away unasked", () => {
  const stdio = environment({ REMEX_LISTEN: "stdio" });
  assertRefused([...CAPABILITY, "--ws-token-file=t"], "--ws-auth has no effect with", stdio);
  assertRefused(["--tls-cert=c", "--tls-key=k"], "--tls-cert has no effect", stdio);
  const tokens = environment({
    REMEX_WS_AUTH: "capability-token",
    REMEX_WS_TOKEN_FILE: "/t",
  });
  assertRefused(["--ws-issuer=i"], "--ws-issuer has no effect", tokens);
  assertRefused(
    ["--insecure-no-auth"],
    "REMEX_WS_AUTH and --insecure-no-auth contradict each other",
    tokens,
  );
  assertRefused(
    ["--ws-auth=none", "--listen=ws://0.0.0.0:1"],
    "refusing to listen on 0.0.0.0",
    tokens,
  );
});

Deno.test("options of `codex exec-server` that mean the same have the same names", () => {
  const options = optionsOf([
    ...["--listen", "ws://127.0.0.1:80", "--concurrent-requests", "1", "--exit-on-stdin-close"],
    ...[...SIGNED, "--ws-shared-secret-file", "/s", "--ws-issuer", "i", "--ws-audience", "a"],
    ...["--ws-max-clock-skew-seconds", "5"],
  ]);
  assertEquals([options.listen.kind, options.limits.concurrentRequests], ["websocket", 1]);
  assertEquals([options.exitOnStdinClose, options.authentication.kind], [true, "signedToken"]);
  for (const token of [["--ws-token-file", "/t"], ["--ws-token-sha256", DIGEST]]) {
    const { kind } = optionsOf([...CAPABILITY, ...token]).authentication;
    assertMatch(kind, /^token(File|Digest)$/);
  }
  assertEquals(optionsOf(["--listen", "stdio://"]).listen, { kind: "stdio" });
});

Deno.test("what is switched on elsewhere can be switched off", () => {
  const on = environment({ REMEX_EXIT_ON_STDIN_CLOSE: "true" });
  assertEquals(optionsOf([], on).exitOnStdinClose, true);
  assertEquals(optionsOf(["--no-exit-on-stdin-close"], on).exitOnStdinClose, false);
});

Deno.test("a certificate and its key come together, for a port", () => {
  const both = ["--tls-cert=c", "--tls-key=k"];
  const options = optionsOf(both);
  assertEquals(options.tls, {
    cert: { path: "c", setting: "--tls-cert" },
    key: { path: "k", setting: "--tls-key" },
  });
  const cases: [args: string[], named: string][] = [
    [["--tls-cert=c"], "--tls-cert needs --tls-key"],
    [["--tls-key=k"], "--tls-key needs --tls-cert"],
    [[...both, "--listen=stdio"], "--tls-cert has no effect"],
    [[...both, "--listen=unix:a"], "--tls-cert has no effect"],
  ];
  for (const [args, named] of cases) {
    assertRefused(args, named);
  }
});

Deno.test("limits are read, and refused if they are no positive numbers", () => {
  const options = optionsOf([
    ...["--max-connections=1", "--max-sessions=2", "--max-processes=3"],
    "--concurrent-requests=4",
  ]);
  assertEquals(options.limits, {
    connections: 1,
    sessions: 2,
    processes: 3,
    endedProcesses: DEFAULT_LIMITS.endedProcesses,
    concurrentRequests: 4,
  });
  for (
    const name of ["max-connections", "max-sessions", "max-processes", "concurrent-requests"]
  ) {
    for (const value of ["", "0", "1e3", "x", "1000001"]) {
      assertRefused([`--${name}=${value}`], `--${name}: `);
    }
  }
});
