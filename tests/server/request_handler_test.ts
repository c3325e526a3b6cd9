import { assertEquals, assertThrows } from "@std/assert";
import { FileHandles } from "../../src/filesystem/file_handles.ts";
import { TcpConnections } from "../../src/net/tcp_connections.ts";
import { PathChanges } from "../../src/filesystem/path_changes.ts";
import { MissingWatch } from "../../src/filesystem/missing_watch.ts";
import { HttpTraffic } from "../../src/server/handlers/http.ts";
import { Turns } from "../../src/server/turns.ts";
import { ClosedProcesses } from "../../src/server/closed_processes.ts";
import { RetentionPool } from "../../src/process/retention_pool.ts";
import { ErrorCode, RpcError } from "../../src/protocol/errors.ts";
import { methods } from "../../src/protocol/methods.ts";
import { handler, parseParams } from "../../src/server/request_handler.ts";
import { Session } from "../../src/server/session.ts";
import { Quota } from "../../src/process/quota.ts";
import { NO_TELEMETRY } from "../../src/telemetry/telemetry.ts";
import { FakeSystem } from "../support/fake_child.ts";
import { FakeKeeper } from "../support/fake_keeper.ts";

const start = methods["process/start"].params;
const right = { processId: "p", argv: ["a"], cwd: "file:///", env: {}, tty: false };

/** What a client is told of its parameters. */
function complaint(schema: Parameters<typeof parseParams>[0], params: unknown): string {
  const error = assertThrows(() => parseParams(schema, params), RpcError);
  assertEquals(error.code, ErrorCode.InvalidParams);
  return error.message;
}

Deno.test("every wrong member is named, with what is wrong", () => {
  const cases: [params: unknown, message: string][] = [
    [undefined, "is missing"],
    [null, "must be of type object"],
    [5, "must be of type object"],
    [[], "must be of type object"],
    [
      {},
      "`processId` is missing; `argv` is missing; `cwd` is missing; `env` is missing; `tty` is missing",
    ],
    [{ ...right, argv: [] }, "`argv` must not be empty"],
    [{ ...right, argv: "ls" }, "`argv` must be of type array"],
    [
      { ...right, argv: ["ls", 1, null] },
      "`argv.1` must be of type string; `argv.2` must be of type string",
    ],
    [{ ...right, env: { A: 1 } }, "`env.A` must be of type string"],
    [{ ...right, env: ["A=1"] }, "`env` must be of type record"],
    [
      { ...right, env: null, tty: 1 },
      "`env` must be of type record; `tty` must be of type boolean",
    ],
    [
      { ...right, cwd: "http://a/", arg0: 5 },
      "`cwd` a path URI must have the scheme file, not 'http'; `arg0` must be of type string",
    ],
    [
      { ...right, envPolicy: { inherit: "some" } },
      '`envPolicy.inherit` must be "all" or "core" or "none"; ' +
      "`envPolicy.ignoreDefaultExcludes` is missing; `envPolicy.exclude` is missing; " +
      "`envPolicy.set` is missing; `envPolicy.includeOnly` is missing",
    ],
  ];
  for (const [params, message] of cases) assertEquals(complaint(start, params), message);
});

Deno.test("of a great many wrong members the first are named", () => {
  const message = complaint(start, { ...right, argv: Array(1000).fill(1) });
  assertEquals(message.split("; ").length, 21);
  assertEquals(message.endsWith("`argv.19` must be of type string; and 980 more"), true);
});

Deno.test("parameters nested without end are refused, not fatal", () => {
  let nested: unknown = [];
  for (let depth = 0; depth < 100_000; depth++) nested = [nested];
  const permissions = { type: "managed", network: "enabled", file_system: nested };
  complaint(start, { ...right, sandbox: { permissions } });
  parseParams(start, { ...right, metadata: { nested } });
});

Deno.test("a handler gets parsed parameters, and only when it is called", () => {
  const session = new Session({
    startChild: new FakeSystem().start,
    keeper: new FakeKeeper(),
    retainedBytes: 0,
    retentionPool: new RetentionPool(),
    processSlots: new Quota(1000),
    telemetry: NO_TELEMETRY,
    closedProcesses: new ClosedProcesses(1000, 0),
  });
  const seen: unknown[] = [];
  const { family, prepare } = handler(methods["process/read"], (params) => {
    seen.push(params);
    throw new Error("has run");
  });
  const call = prepare({ processId: "p", maxBytes: null, waitMs: 3, other: 4 });
  assertEquals([family, seen], ["exec", []]);
  const { signal } = new AbortController();
  const context = {
    session,
    sessionOf: () => session,
    signal,
    files: new FileHandles(),
    missing: new MissingWatch(() => {}),
    turns: new Turns(1, () => false),
    changes: new PathChanges(),
    tcp: new TcpConnections(),
    http: new HttpTraffic({ send: () => {}, saturated: false }),
  };
  assertThrows(() => call(context), Error, "has run");
  assertEquals(seen, [{
    processId: "p",
    afterSeq: 0,
    maxBytes: undefined,
    waitMs: 3,
  }]);
});
