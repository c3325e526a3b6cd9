import {
  assert,
  assertEquals,
  assertMatch,
  assertObjectMatch,
  assertStrictEquals,
} from "@std/assert";
import { delay } from "@std/async/delay";
import { ClosedProcesses } from "../../src/server/closed_processes.ts";
import { RetentionPool } from "../../src/process/retention_pool.ts";
import { ErrorCode, invalidParams, RpcError } from "../../src/protocol/errors.ts";
import { Connection } from "../../src/server/connection.ts";
import { processHandlers } from "../../src/server/handlers/process.ts";
import type { RequestContext, RequestHandler } from "../../src/server/request_handler.ts";
import { Sessions } from "../../src/server/sessions.ts";
import { MemoryTrimmer } from "../../src/server/memory_trimmer.ts";
import { Quota } from "../../src/process/quota.ts";
import { NO_TELEMETRY } from "../../src/telemetry/telemetry.ts";
import { eventually } from "../support/patience.ts";
import { FakeSystem } from "../support/fake_child.ts";
import { FakeKeeper } from "../support/fake_keeper.ts";
import { FakeTransport, type SentMessage } from "../support/fake_transport.ts";

const ENVIRONMENT_INFO = { shell: { name: "sh", path: "/bin/sh" } };

/** A handler that takes any parameters. */
function handling(handle: (params: unknown, context: RequestContext) => unknown): RequestHandler {
  return { family: "exec", prepare: (params) => (context) => handle(params, context) };
}

/** An executor whose connections are fake, with handlers of the test's besides the real ones. */
class Setting {
  readonly system = new FakeSystem();
  readonly sessions: Sessions;
  readonly messageBytes = new Quota(1e6);
  readonly #trimmer = new MemoryTrimmer(1e9, () => {});
  readonly #handlers: ReadonlyMap<string, RequestHandler>;

  constructor(handlers: Record<string, RequestHandler> = {}) {
    this.sessions = new Sessions({
      startChild: this.system.start,
      keeper: new FakeKeeper(),
      retainedBytes: 1024,
      retentionPool: new RetentionPool(),
      processSlots: new Quota(1000),
      telemetry: NO_TELEMETRY,
      closedProcesses: new ClosedProcesses(1000, 0),
      detachedLifeMs: 60_000,
      graceMs: 0,
      maxSessions: 1000,
    });
    this.#handlers = new Map(Object.entries({ ...processHandlers(() => ({})), ...handlers }));
  }

  /** A connection on which nothing has been said yet. */
  connect(): { transport: FakeTransport; over: Promise<unknown> } {
    const transport = new FakeTransport();
    const over = new Connection(transport, {
      sessions: this.sessions,
      handlers: this.#handlers,
      environmentInfo: () => ENVIRONMENT_INFO,
      concurrentRequests: 1000,
      messageBytes: this.messageBytes,
      trimmer: this.#trimmer,
      telemetry: NO_TELEMETRY,
    }).run();
    return { transport, over };
  }

  /** A connection that is ready for requests. */
  ready(resumeSessionId?: string): FakeTransport {
    const { transport } = this.connect();
    transport.receive({
      id: 0,
      method: "initialize",
      params: { clientName: "test", resumeSessionId },
    });
    transport.receive({ method: "initialized" });
    transport.take();
    return transport;
  }

  /** Ends all sessions with their timers. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.sessions.endAll(0);
    this.#trimmer[Symbol.dispose]();
  }
}

/** Lets everything happen that needs no more than a turn. */
function turn(): Promise<void> {
  return delay(0);
}

function errorOf(message: SentMessage | undefined): { code: unknown; message: string } {
  const { code, message: text } = Object(message?.error);
  return { code, message: String(text) };
}

function codes(transport: FakeTransport): unknown[] {
  return transport.take().map((message) => errorOf(message).code);
}

const START = {
  processId: "p",
  argv: ["a"],
  cwd: "file:///",
  env: {},
  tty: false,
  pipeStdin: true,
};

Deno.test("initialize opens a session and tells of the machine", async () => {
  await using setting = new Setting();
  const { transport } = setting.connect();
  transport.receive({ id: "i", method: "initialize", params: { clientName: "test" } });
  const [answer] = transport.take();
  assertMatch(String(Object(answer?.result).sessionId), /^[\da-f-]{36}$/);
  assertEquals(Object(answer?.result).environmentInfo, ENVIRONMENT_INFO);
  assertEquals([answer?.id, setting.sessions.size], ["i", 1]);
});

Deno.test("what is wrong with a request is told in order: method, parameters, stage", async () => {
  await using setting = new Setting();
  const { transport } = setting.connect();
  const ask = () => {
    transport.receive({ id: 1, method: "no/such" });
    transport.receive({ id: 2, method: "process/start", params: {} });
    transport.receive({ id: 3, method: "process/read", params: { processId: "p" } });
    return transport.take().map(errorOf);
  };
  const unknown = { code: ErrorCode.MethodNotFound, message: "unknown method no/such" };
  const before = ask();
  assertEquals(before.map(({ code }) => code), [-32601, -32602, -32600]);
  assertEquals(before[0], unknown);
  assertEquals(before[2]?.message, "client must call initialize before using exec methods");
  transport.receive({ id: 4, method: "initialize", params: { clientName: "test" } });
  transport.take();
  const between = ask();
  assertEquals(between.map(({ code }) => code), [-32601, -32602, -32600]);
  assertEquals(between[2]?.message, "client must send initialized before using exec methods");
  transport.receive({ method: "initialized", params: [7] });
  transport.receive({ method: "initialized" });
  assertEquals(ask().map(({ message }) => message)[2], "unknown process id p");
});

Deno.test("methods are looked up by name only", async () => {
  await using setting = new Setting();
  const transport = setting.ready();
  for (const method of ["__proto__", "constructor", "toString", "", "initialized", "Initialize"]) {
    transport.receive({ id: 1, method });
    assertEquals(codes(transport), [ErrorCode.MethodNotFound], method);
  }
});

Deno.test("a failed initialize may be tried again, a successful one not", async () => {
  await using setting = new Setting();
  const { transport } = setting.connect();
  const initialize = (params: unknown) =>
    transport.receive({ id: 1, method: "initialize", params });
  for (
    const wrong of [undefined, null, {}, { clientName: 1 }, { clientName: "", resumeSessionId: 5 }]
  ) {
    initialize(wrong);
  }
  initialize({ clientName: "test", resumeSessionId: "unknown" });
  assertEquals(codes(transport), [-32602, -32602, -32602, -32602, -32602, -32600]);
  assertEquals(setting.sessions.size, 0);
  initialize({ clientName: "", resumeSessionId: null });
  initialize({ clientName: "" });
  initialize({});
  assertEquals(codes(transport), [undefined, -32600, -32602]);
  assertEquals(setting.sessions.size, 1);
});

Deno.test("what is no message is answered, and the conversation goes on", async () => {
  await using setting = new Setting();
  const transport = setting.ready();
  for (const text of ["hello", "", "[]", '{"id":7}', "{}"]) transport.receive(text);
  transport.receiveUnreadable("too long");
  const answers = transport.take();
  assertEquals(answers.map(({ id }) => id), Array(6).fill(-1));
  assertEquals(answers.map((answer) => errorOf(answer).code), Array(6).fill(-32600));
  assertEquals(errorOf(answers[5]).message, "malformed message: too long");
  transport.receive({ id: 8, method: "process/terminate", params: { processId: "p" } });
  await turn();
  assertEquals(transport.take(), [{ id: 8, result: { running: false } }]);
});

Deno.test("what a client must not send closes the connection", async () => {
  const violations = [
    { method: "cancel" },
    { method: "process/start", params: START },
    { id: 1, result: {} },
    { id: 1, error: { code: 1, message: "" } },
  ];
  for (const violation of violations) {
    await using setting = new Setting();
    const { transport, over } = setting.connect();
    transport.receive({ id: 0, method: "initialize", params: { clientName: "test" } });
    transport.receive(violation);
    await over;
    assertEquals(transport.closeReason?.kind, "protocolError", JSON.stringify(violation));
  }
  await using setting = new Setting();
  const { transport, over } = setting.connect();
  transport.receive({ method: "initialized" });
  await over;
  assertEquals(transport.closeReason, {
    kind: "protocolError",
    message: "initialized before initialize",
  });
});

Deno.test("answers come as they are ready, whatever the order of the requests", async () => {
  const slow = Promise.withResolvers<string>();
  await using setting = new Setting({
    slow: handling(() => slow.promise),
    fast: handling((params) => params),
  });
  const transport = setting.ready();
  transport.receive({ id: 1, method: "slow" });
  transport.receive({ id: "two", method: "fast", params: 2 });
  transport.receive({ id: 3, method: "fast" });
  slow.resolve("one");
  await turn();
  assertEquals(transport.take(), [
    { id: "two", result: 2 },
    { id: 3, result: null },
    { id: 1, result: "one" },
  ]);
});

Deno.test("handlers begin in the order of their requests", async () => {
  const begun: unknown[] = [];
  await using setting = new Setting({
    begin: handling(async (params) => {
      begun.push(params);
      await turn();
    }),
  });
  const transport = setting.ready();
  for (let id = 0; id < 100; id++) transport.receive({ id, method: "begin", params: id });
  assertEquals(begun, Array.from({ length: 100 }, (_, index) => index));
  await turn();
});

Deno.test("a handler's failure is answered with its code, any other with -32603", async () => {
  const failures: [failure: unknown, code: number, message: string][] = [
    [invalidParams("wrong"), -32602, "wrong"],
    [new RpcError(-1, "own"), -1, "own"],
    [new TypeError("broken"), -32603, "broken"],
    ["text", -32603, "text"],
  ];
  for (const [failure, code, message] of failures) {
    await using setting = new Setting({
      now: handling(() => {
        throw failure;
      }),
      later: handling(() => Promise.reject(failure)),
    });
    const transport = setting.ready();
    transport.receive({ id: 1, method: "now" });
    transport.receive({ id: 2, method: "later" });
    await turn();
    assertEquals(transport.take(), [1, 2].map((id) => ({ error: { code, message }, id })));
  }
});

Deno.test("a result that cannot be sent is answered as a failure", async () => {
  const unsendable = {
    toJSON() {
      throw new RangeError("Invalid string length");
    },
  };
  await using setting = new Setting({
    now: handling(() => unsendable),
    later: handling(() => Promise.resolve(unsendable)),
  });
  const transport = setting.ready();
  transport.receive({ id: 1, method: "now" });
  transport.receive({ id: 2, method: "later" });
  await turn();
  assertEquals(codes(transport), [-32603, -32603]);
});

Deno.test("while the client has much to read its requests wait, in order", async () => {
  const handled: unknown[] = [];
  await using setting = new Setting({ note: handling((params) => handled.push(params)) });
  const transport = setting.ready();
  transport.saturated = true;
  for (const params of [1, 2]) transport.receive({ id: params, method: "note", params });
  // Not saturated any more, but what came earlier is still first.
  transport.saturated = false;
  transport.receive({ id: 3, method: "note", params: 3 });
  assertEquals(handled, []);
  transport.drain();
  assertEquals(handled, [1, 2, 3]);
  transport.receive({ id: 4, method: "note", params: 4 });
  assertEquals(handled, [1, 2, 3, 4]);
});

Deno.test("answers to waiting requests may fill the connection again", async () => {
  const handled: unknown[] = [];
  await using setting = new Setting({
    fill: handling((params) => {
      handled.push(params);
      transport.saturated = true;
    }),
  });
  const transport = setting.ready();
  transport.saturated = true;
  for (const params of [1, 2, 3]) transport.receive({ id: params, method: "fill", params });
  for (const expected of [[1], [1, 2], [1, 2, 3]]) {
    transport.drain();
    assertEquals(handled, expected);
  }
  transport.drain();
  assertEquals(transport.take().map(({ id }) => id), [1, 2, 3]);
});

Deno.test("a client that sends without ever reading is cut off", async () => {
  await using setting = new Setting();
  const { transport, over } = setting.connect();
  transport.saturated = true;
  const frame = " ".repeat(250_000);
  for (let times = 0; times < 4; times++) transport.receive(frame);
  assertEquals(transport.closeReason, undefined);
  transport.receive("{}");
  await over;
  assertEquals(transport.closeReason?.kind, "overload");
  transport.drain();
  assertEquals(transport.take(), []);
});

Deno.test("a large request is refused while others take all that messages may, and not later", async () => {
  const first = Promise.withResolvers<string>();
  await using setting = new Setting({ large: handling(() => first.promise) });
  const transport = setting.ready();
  const params = "x".repeat(200_000);
  for (const id of [1, 2, 3, 4, 5]) transport.receive({ id, method: "large", params });
  const refused = transport.take();
  assertEquals(refused.length, 1);
  assertObjectMatch(refused[0] ?? {}, { id: 5, error: { code: -32603 } });
  // Small ones are not counted.
  transport.receive({ id: 6, method: "large", params: 1 });
  first.resolve("done");
  await turn();
  assertEquals(transport.take().length, 5);
  transport.receive({ id: 7, method: "large", params });
  await turn();
  assertEquals(transport.take().map(({ id }) => id), [7]);
});

Deno.test("requests that wait are not handled once one of them has closed the connection", async () => {
  const handled: unknown[] = [];
  await using setting = new Setting({ note: handling((params) => handled.push(params)) });
  const transport = setting.ready();
  transport.saturated = true;
  transport.receive({ id: 1, method: "note", params: 1 });
  transport.receive({ method: "violation" });
  transport.receive({ id: 2, method: "note", params: 2 });
  transport.drain();
  assertEquals([handled, transport.closeReason?.kind], [[1], "protocolError"]);
});

Deno.test("a read that waits ends with its connection, and without an answer of data", async () => {
  await using setting = new Setting();
  const transport = setting.ready();
  transport.receive({ id: 1, method: "process/start", params: START });
  await turn();
  transport.receive({ id: 2, method: "process/read", params: { processId: "p", waitMs: 60_000 } });
  transport.take();
  transport.vanish();
  setting.system.newest.say("late");
  await turn();
  const answers = transport.take();
  assertEquals(answers.map(({ id, result }) => ({ id, result })), [{ id: 2, result: undefined }]);
  assertEquals(errorOf(answers[0]).code, ErrorCode.InvalidRequest);
});

Deno.test("handlers learn of the end of their connection by one signal", async () => {
  const contexts: RequestContext[] = [];
  await using setting = new Setting({
    keep: handling((_, context) => void contexts.push(context)),
  });
  const transport = setting.ready();
  for (const id of [1, 2]) transport.receive({ id, method: "keep" });
  const [first, second] = contexts;
  assert(first !== undefined && second !== undefined);
  assertStrictEquals(first.signal, second.signal);
  assertEquals(first.signal.aborted, false);
  transport.vanish();
  assertEquals(first.signal.aborted, true);
  assertEquals(first.session.attached, false);
});

Deno.test("a new connection takes a session over with its processes", async () => {
  await using setting = new Setting();
  const old = setting.connect().transport;
  old.receive({ id: 0, method: "initialize", params: { clientName: "test" } });
  old.receive({ method: "initialized" });
  const { sessionId } = Object(old.take()[0]?.result);
  old.receive({ id: 1, method: "process/start", params: START });
  await turn();
  const early = setting.connect().transport;
  early.receive({
    id: 0,
    method: "initialize",
    params: { clientName: "test", resumeSessionId: sessionId },
  });
  assertEquals(codes(early), [ErrorCode.SessionAttached]);
  old.vanish();
  old.take();
  const next = setting.ready(sessionId);
  setting.system.newest.say("x");
  old.drain();
  old.vanish();
  setting.system.newest.say("y");
  assertEquals([old.take(), next.take().length], [[], 2]);
});

Deno.test("writes to a process keep their order, also ahead of the answer to its start", async () => {
  await using setting = new Setting();
  const transport = setting.ready();
  transport.receive({ id: 0, method: "process/start", params: START });
  for (let id = 1; id <= 20; id++) {
    const chunk = new Uint8Array(id).toBase64();
    const params = { processId: "p", chunk, writeId: `${id}` };
    transport.receive({ id, method: "process/write", params });
  }
  await turn();
  const lengths = Array.from({ length: 20 }, (_, index) => `write ${index + 1}`);
  assertEquals(setting.system.newest.calls, lengths);
  const answers = transport.take().filter(({ id }) => id !== 0);
  assertEquals(answers.map(({ result }) => result), Array(20).fill({ status: "accepted" }));
});

/** Asks for a shell that is to begin where its startup files end. */
function startShell(client: FakeTransport, more: object = {}): void {
  const shell = { name: "bash", path: "/bin/bash" };
  const argv = [shell.path, "-lc", "x"];
  const params = { ...START, argv, shellSnapshot: { scopeId: "s", shell }, ...more };
  client.receive({ id: 1, method: "process/start", params });
}

Deno.test("a command that waits for its shell's startup files is ended without them", async () => {
  await using setting = new Setting();
  const client = setting.ready();
  startShell(client);
  const { children } = setting.system;
  await eventually(() => children.length === 1, "the startup files to run");
  client.receive({ id: 2, method: "process/terminate", params: { processId: "p" } });
  assertEquals(children[0]?.calls, ["kill"]);
  children[0]?.finish(137);
  await eventually(() => client.sent.length === 2, "both answers");
  assertEquals(children[1]?.command.argv, ["/bin/bash", "-lc", "x"]);
  assertEquals(children[1]?.calls, ["kill"]);
});

Deno.test("the time of a command runs while its shell's startup files do", async () => {
  await using setting = new Setting();
  const client = setting.ready();
  // Startup files that go on until they are killed, if they are run at all before the time is up.
  startShell(client, { timeoutMs: 1 });
  const { children } = setting.system;
  await eventually(() => {
    const killed = children.find(({ calls }) => calls.at(-1) === "kill");
    killed?.calls.push("finished");
    killed?.finish(137);
    return children.at(-1)?.calls.at(-1) === "requestEnd";
  }, "the command to be asked to end");
  assertEquals(children.at(-1)?.command.argv, ["/bin/bash", "-lc", "x"]);
});

Deno.test("a session that ends does not wait for a shell's startup files, nor start the command", async () => {
  await using setting = new Setting();
  const client = setting.ready();
  startShell(client);
  const { children } = setting.system;
  await eventually(() => children.length === 1, "the startup files to run");
  const ended = setting.sessions.endAll(0);
  assertEquals(children[0]?.calls, ["kill"]);
  children[0]?.finish(137);
  await ended;
  await eventually(() => client.sent.length > 0, "an answer");
  assertEquals([codes(client), children.length], [[ErrorCode.InvalidRequest], 1]);
});
