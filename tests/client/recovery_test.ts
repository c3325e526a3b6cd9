import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  type ClientOptions,
  ConnectionError,
  ErrorCode,
  ExecServerClient,
  ProcessError,
  RpcError,
} from "../../src/client/mod.ts";
import { settled } from "../support/patience.ts";
import { bytes, Followed, shell } from "../support/followed.ts";
import {
  output,
  retained,
  type Script,
  type ScriptedConnection,
  ScriptedExecutor,
  type ScriptedRequest,
  SESSION,
  SILENCE,
} from "../support/scripted_executor.ts";

const EXITED = { processId: "p", exitCode: 3, sandboxDenied: false };

/** A scripted executor and a client whose first connection it can break. */
class Setup implements AsyncDisposable {
  private constructor(
    readonly executor: ScriptedExecutor,
    readonly client: ExecServerClient,
    readonly interrupted: ConnectionError[],
  ) {}

  static async start(script: Script = () => undefined, options: ClientOptions = {}) {
    const executor = new ScriptedExecutor(script);
    const interrupted: ConnectionError[] = [];
    const client = await ExecServerClient.connect(executor.url, {
      retryDelayMs: 5,
      ...options,
      onInterrupted: (reason) => interrupted.push(reason),
    });
    return new Setup(executor, client, interrupted);
  }

  get first(): ScriptedConnection {
    const [first] = this.executor.connections;
    if (first === undefined) throw new Error("no connection");
    return first;
  }

  /** Starts process `p` and follows it. */
  async follow(): Promise<Followed> {
    return new Followed(await this.client.start({ ...shell(""), processId: "p" }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.executor[Symbol.asyncDispose]();
  }
}

/** Answers reads with the same retained state, whoever asks. */
function reads(answer: unknown): Script {
  return ({ method }) => method === "process/read" ? answer : undefined;
}

Deno.test("a new connection resumes the session and calls wait for it", async () => {
  await using setup = await Setup.start();
  setup.first.close();
  await settled(setup.executor.request("initialize", 2), "the second connection");
  const info = await setup.client.environmentInfo();
  assertEquals(info.shell.name, "sh");
  const resumed = await setup.executor.request("initialize", 2);
  assertEquals(resumed.params, { clientName: "remex", resumeSessionId: SESSION.sessionId });
  assertEquals(setup.interrupted.map(({ code }) => code), ["lost"]);
  assertEquals(setup.executor.methods(2), ["environment/info"]);
});

Deno.test("a session that is still attached is asked for again", async () => {
  let refusals = 0;
  await using setup = await Setup.start(({ method, params }) => {
    if (method !== "initialize" || params.resumeSessionId === undefined) return;
    if (refusals++ < 3) throw new RpcError(ErrorCode.SessionAttached, "still attached");
  });
  setup.first.close();
  await setup.executor.request("initialize", 5);
  await settled(setup.client.environmentInfo(), "the answer");
  assertEquals(refusals, 4);
});

Deno.test("an unknown session ends the client with one error for all", async () => {
  const released = Promise.withResolvers<void>();
  await using setup = await Setup.start(({ method, params }) => {
    if (method !== "initialize" || params.resumeSessionId === undefined) return;
    released.resolve();
    throw new RpcError(ErrorCode.InvalidRequest, "unknown session id");
  });
  const followed = await setup.follow();
  setup.first.close();
  await setup.executor.request("initialize", 2);
  await followed.end();
  assertInstanceOf(followed.failure, ConnectionError);
  assertEquals(followed.failure.code, "sessionExpired");
  const errors = await Promise.all(
    [setup.client.environmentInfo(), setup.client.start(shell("")), followed]
      .map((what) => what instanceof Followed ? what.failure : what.catch((error) => error)),
  );
  assert(errors.every((error) => error === followed.failure));
  assertEquals(setup.client.state, "ended");
});

Deno.test("a call that waits is rejected when the time is up", async () => {
  await using setup = await Setup.start(
    ({ method, connection }) =>
      method === "initialize" && connection.number > 1 ? SILENCE : undefined,
    { recoveryTimeoutMs: 100 },
  );
  const followed = await setup.follow();
  setup.first.close();
  await followed.end();
  assertInstanceOf(followed.failure, ConnectionError);
  assertEquals(followed.failure.code, "recoveryTimedOut");
  const error = await assertRejects(() => setup.client.environmentInfo(), ConnectionError);
  assertEquals(error, followed.failure);
});

Deno.test("a call under way is rejected and not repeated", async () => {
  await using setup = await Setup.start(({ method }) =>
    method === "fs/readFile" ? SILENCE : undefined
  );
  const call = setup.client.call("fs/readFile", { path: "file:///x" });
  await setup.executor.request("fs/readFile");
  setup.first.close();
  const error = await assertRejects(() => call, ConnectionError);
  assertEquals(error.code, "lost");
  await setup.client.environmentInfo();
  assertEquals(setup.executor.methods(), ["fs/readFile", "environment/info"]);
});

Deno.test("writes without an answer are repeated in order under their ids", async () => {
  await using setup = await Setup.start(({ method, connection }) => {
    if (method === "process/read") return retained([], 1);
    return method === "process/write" && connection.number === 1 ? SILENCE : undefined;
  });
  const process = await setup.client.start({ ...shell(""), processId: "p" });
  const writes = [process.write(bytes("a")), process.write(bytes("b"))];
  await setup.executor.request("process/write", 2);
  setup.first.close();
  writes.push(process.write(bytes("c")));
  assertEquals(await Promise.all(writes), ["accepted", "accepted", "accepted"]);
  const sent = setup.executor.requests.filter(({ method }) => method === "process/write");
  const [a, b] = sent.map(({ params }) => params);
  assertEquals(sent.map(({ params }) => params.chunk), ["YQ==", "Yg==", "YQ==", "Yg==", "Yw=="]);
  assertEquals(sent[2]?.params, a);
  assertEquals(sent[3]?.params, b);
  assertEquals(new Set(sent.map(({ params }) => params.writeId)).size, 3);
});

Deno.test("what a start without an answer may have started is terminated", async () => {
  await using setup = await Setup.start(({ method, connection }) =>
    method === "process/start" && connection.number === 1 ? SILENCE : undefined
  );
  const start = setup.client.start({ ...shell(""), processId: "p" });
  await setup.executor.request("process/start");
  setup.first.close();
  assertEquals((await assertRejects(() => start, ConnectionError)).code, "lost");
  await setup.client.environmentInfo();
  assertEquals(setup.executor.methods(2), ["process/terminate", "environment/info"]);
  const terminate = await setup.executor.request("process/terminate");
  assertEquals(terminate.params, { processId: "p" });
});

Deno.test("a lost start is cleared away by the next connection that lasts", async () => {
  await using setup = await Setup.start(({ method, connection }) => {
    if (method === "process/start") return SILENCE;
    if (method !== "process/terminate" || connection.number !== 2) return undefined;
    connection.close();
    return SILENCE;
  });
  const start = setup.client.start({ ...shell(""), processId: "p" });
  await setup.executor.request("process/start");
  setup.first.close();
  await assertRejects(() => start, ConnectionError);
  await setup.client.environmentInfo();
  assertEquals(setup.executor.methods(3), ["process/terminate", "environment/info"]);
});

Deno.test("a start whose answer came with the connection's end stays", async () => {
  await using setup = await Setup.start(({ method, params, connection }) => {
    if (method === "process/read") return retained([], 1);
    if (method !== "process/start") return;
    queueMicrotask(() => connection.close());
    return { processId: params.processId };
  });
  const followed = await setup.follow();
  await setup.executor.request("process/read");
  assertEquals(followed.failure, undefined);
  assertEquals(setup.executor.methods(2).includes("process/terminate"), false);
});

Deno.test("a client that is closed while it catches up still ends its session", async () => {
  const capabilities = { sessionEnd: true };
  const environmentInfo = { shell: { name: "sh", path: "/bin/sh" }, cwd: "file:///", capabilities };
  await using setup = await Setup.start(({ method, params, connection }) => {
    if (method === "initialize") return { ...SESSION, environmentInfo };
    if (method !== "process/read" || connection.number === 1) return undefined;
    if (params.processId !== "p") return SILENCE;
    return retained([], 3, { exited: true, exitCode: 3, closed: true });
  });
  const followed = await setup.follow();
  await setup.client.start({ ...shell(""), processId: "q" });
  setup.first.close();
  await followed.end();
  assertEquals(setup.client.state, "recovering");
  await setup.client.close();
  const ended = await setup.executor.request("session/end");
  assertEquals(ended.connection.number, 2);
});

Deno.test("what was missed is fetched before anything else, exit and close in their places", async () => {
  await using setup = await Setup.start(reads(
    retained([[2, "two "], [4, "late"]], 6, {
      exited: true,
      exitCode: 3,
      closed: true,
      sandboxDenied: true,
    }),
  ));
  const followed = await setup.follow();
  setup.first.notify("process/output", output(1, "one "));
  await followed.says(/one/);
  setup.first.close();
  await followed.end();
  assertEquals(followed.text(), "one two late");
  assertEquals(followed.kinds, ["output", "exited", "output", "closed"]);
  assert(followed.events.some((event) => event.kind === "exited" && event.sandboxDenied));
  assertEquals(
    followed.events.map((event) => event.kind === "failed" ? 0 : event.seq),
    [1, 2, 3, 4, 5],
  );
  const read = await setup.executor.request("process/read");
  assertEquals([read.params.afterSeq, read.connection.number], [1, 2]);
});

Deno.test("events that come before the session is resumed count, once", async () => {
  await using setup = await Setup.start(({ method, connection }) => {
    if (method === "process/read") return retained([[2, "two "], [3, "three "]], 4);
    if (method !== "initialize" || connection.number !== 2) return;
    connection.notify("process/output", output(3, "three "));
    connection.notify("process/output", output(4, "four "));
  });
  const followed = await setup.follow();
  setup.first.notify("process/output", output(1, "one "));
  await followed.says(/one/);
  setup.first.close();
  await followed.says(/four/);
  const [, second] = setup.executor.connections;
  second?.notify("process/exited", { ...EXITED, seq: 5 });
  second?.notify("process/closed", { processId: "p", seq: 6 });
  await followed.end();
  assertEquals(followed.text(), "one two three four ");
});

Deno.test("a gap beyond retention fails and terminates that process alone", async () => {
  await using setup = await Setup.start(({ method, params }) => {
    if (method !== "process/read") return;
    return params.processId === "p" ? retained([[5, "five"]], 6) : retained([], 1);
  });
  const followed = await setup.follow();
  const other = await setup.client.start({ ...shell(""), processId: "q" });
  setup.first.notify("process/output", output(1, "one "));
  await followed.says(/one/);
  setup.first.close();
  await followed.end();
  assertInstanceOf(followed.failure, ProcessError);
  assertEquals(followed.failure.code, "outputLost");
  assertEquals((await setup.executor.request("process/terminate")).params, { processId: "p" });
  assertEquals(await other.write(bytes("x")), "accepted");
});

Deno.test("a process that the executor has forgotten fails alone", async () => {
  await using setup = await Setup.start(({ method }) => {
    if (method === "process/read") throw new RpcError(ErrorCode.InvalidRequest, "unknown process");
  });
  const followed = await setup.follow();
  setup.first.close();
  await followed.end();
  assertInstanceOf(followed.failure, ProcessError);
  assertEquals(followed.failure.code, "unknownProcess");
  await setup.client.environmentInfo();
});

Deno.test("connections that break during recovery are followed by others", async () => {
  const steps: ((request: ScriptedRequest) => unknown)[] = [
    () => undefined,
    ({ connection }) => (connection.close(), SILENCE),
    ({ method, connection }) =>
      method === "process/read" ? (connection.close(), SILENCE) : undefined,
    ({ method }) => method === "process/read" ? retained([[1, "x"]], 2) : undefined,
  ];
  await using setup = await Setup.start((request) =>
    steps[request.connection.number - 1]?.(request)
  );
  const followed = await setup.follow();
  setup.first.close();
  await followed.says(/x/);
  assertEquals(setup.executor.connections.length, 4);
  assertEquals(setup.interrupted.length, 1);
});

Deno.test("an executor that shuts down is not looked for", async () => {
  await using setup = await Setup.start();
  const followed = await setup.follow();
  setup.first.close(4503, "the executor is shutting down");
  await followed.end();
  assertInstanceOf(followed.failure, ConnectionError);
  assertEquals(followed.failure.code, "sessionExpired");
  assertEquals(setup.executor.connections.length, 1);
});

Deno.test("an executor that says nothing, not even to a ping, is left", async () => {
  await using executor = new ScriptedExecutor(() => undefined);
  await using path = new StallingPath(executor.url);
  const interrupted = Promise.withResolvers<ConnectionError>();
  await using _client = await ExecServerClient.connect(path.url, {
    silenceLimitMs: 80,
    recoveryTimeoutMs: 50,
    onInterrupted: interrupted.resolve,
  });
  path.stalled = true;
  const reason = await settled(interrupted.promise, "the silence to be noticed");
  assertEquals(reason.code, "lost");
});

Deno.test("a streamed body ends with its connection", async () => {
  await using setup = await Setup.start(({ method, params, connection }) => {
    if (method !== "http/request") return;
    queueMicrotask(() =>
      connection.notify("http/request/bodyDelta", {
        requestId: params.requestId,
        seq: 1,
        deltaBase64: "YWJj",
        done: false,
      })
    );
    return { status: 200, headers: [], bodyBase64: "" };
  });
  const { status, body } = await setup.client.streamHttp({ method: "GET", url: "http://x/" });
  const reader = body.getReader();
  assertEquals([status, (await reader.read()).value], [200, bytes("abc")]);
  setup.first.close();
  assertEquals((await assertRejects(() => reader.read(), ConnectionError)).code, "lost");
});

Deno.test("a streamed body is read to its end, its pieces in order", async () => {
  await using setup = await Setup.start(({ method, params, connection }) => {
    if (method !== "http/request") return;
    const delta = (seq: number, text: string, done = false) =>
      connection.notify("http/request/bodyDelta", {
        requestId: params.requestId,
        seq,
        deltaBase64: bytes(text).toBase64(),
        done,
        error: null,
      });
    delta(2, "two ");
    delta(1, "one ");
    delta(3, "three", true);
    return { status: 200, headers: [], bodyBase64: "" };
  });
  const { body } = await setup.client.streamHttp({ method: "GET", url: "http://x/" });
  assertEquals(await new Response(body).text(), "one two three");
});

Deno.test("a closed client has terminated what ran and rejects what is asked", async () => {
  await using setup = await Setup.start();
  const followed = await setup.follow();
  await setup.client.close();
  await followed.end();
  assertInstanceOf(followed.failure, ConnectionError);
  assertEquals(followed.failure.code, "closed");
  assertEquals((await setup.executor.request("process/terminate")).params, { processId: "p" });
  const error = await assertRejects(() => setup.client.environmentInfo(), ConnectionError);
  assertEquals(error.code, "closed");
});

Deno.test("a name can be used again once its process is over, and not before", async () => {
  await using setup = await Setup.start();
  const followed = await setup.follow();
  await assertRejects(() => setup.follow(), RpcError);
  setup.first.notify("process/exited", { ...EXITED, seq: 1 });
  setup.first.notify("process/closed", { processId: "p", seq: 2 });
  await followed.end();
  const again = await setup.follow();
  setup.first.notify("process/output", output(1, "again"));
  await again.says(/again/);
  assertEquals(followed.text(), "");
});

Deno.test("requests go out behind the request for a session", async () => {
  const before: string[] = [];
  await using executor = new ScriptedExecutor(({ method, connection }) => {
    before.push(method);
    if (method !== "process/start") return method === "initialize" ? SILENCE : undefined;
    connection.send(JSON.stringify({ id: 1, result: SESSION }));
  });
  await using client = await ExecServerClient.connect(executor.url, { pipelined: true });
  const process = await client.start({ ...shell(""), processId: "p" });
  assertEquals(process.processId, "p");
  assertEquals(before, ["initialize", "process/start"]);
  assertEquals((await client.opened).sessionId, SESSION.sessionId);
});

/** A way to a server that can stop carrying anything without breaking, as networks do. */
class StallingPath implements AsyncDisposable {
  stalled = false;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections: Deno.Conn[] = [];
  readonly #accepting: Promise<void>;

  constructor(target: string) {
    this.#accepting = this.#accept(Number(new URL(target).port));
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#listener.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
    await this.#accepting;
  }

  async #accept(port: number): Promise<void> {
    const carried: Promise<void>[] = [];
    for await (const near of this.#listener) {
      const far = await Deno.connect({ hostname: "127.0.0.1", port });
      this.#connections.push(near, far);
      carried.push(this.#carry(near, far), this.#carry(far, near));
    }
    await Promise.allSettled(carried);
  }

  async #carry(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(4096);
    for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
      if (!this.stalled) await to.write(buffer.slice(0, count));
    }
  }
}
