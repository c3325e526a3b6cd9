import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import {
  type ClientOptions,
  ConnectionError,
  ExecServerClient,
  ProcessError,
} from "../../src/client/mod.ts";
import { settled } from "../support/patience.ts";
import { Followed, shell } from "../support/followed.ts";
import {
  output,
  retained,
  type Script,
  type ScriptedConnection,
  ScriptedExecutor,
  SILENCE,
} from "../support/scripted_executor.ts";

const EXITED = { processId: "p", exitCode: 3, sandboxDenied: false };

/** Runs one process `p`, whose events a test makes up. */
async function followProcess(
  events: (connection: ScriptedConnection) => void,
  read: Script = () => {
    throw new Error("nobody should have read");
  },
  options: ClientOptions = {},
): Promise<{ followed: Followed; executor: ScriptedExecutor }> {
  const executor = new ScriptedExecutor((request) => {
    if (request.method === "process/start") queueMicrotask(() => events(request.connection));
    return request.method === "process/read" ? read(request) : undefined;
  });
  await using client = await ExecServerClient.connect(executor.url, options);
  const followed = new Followed(await client.start({ ...shell(""), processId: "p" }));
  await followed.end();
  return { followed, executor };
}

Deno.test("a complete stream in order costs no read", async () => {
  const { followed, executor } = await followProcess((connection) => {
    connection.notify("process/output", output(1, "one "));
    connection.notify("process/output", output(2, "two"));
    connection.notify("process/exited", { ...EXITED, seq: 3 });
    connection.notify("process/closed", { processId: "p", seq: 4 });
  });
  await using _ = executor;
  assertEquals(followed.text(), "one two");
  assertEquals(followed.exitCode, 3);
  assertEquals(executor.methods(), ["process/start"]);
});

Deno.test("events that overtake the answer to the start count", async () => {
  await using executor = new ScriptedExecutor(({ method, connection }) => {
    if (method !== "process/start") return;
    connection.notify("process/output", output(1, "early"));
    connection.notify("process/exited", { ...EXITED, seq: 2 });
    connection.notify("process/closed", { processId: "p", seq: 3 });
  });
  await using client = await ExecServerClient.connect(executor.url);
  const followed = new Followed(await client.start({ ...shell(""), processId: "p" }));
  await followed.end();
  assertEquals([followed.text(), followed.exitCode], ["early", 3]);
});

Deno.test("an exit without sandboxDenied costs exactly one read", async () => {
  const { followed, executor } = await followProcess((connection) => {
    connection.notify("process/output", output(1, "Permission denied"));
    connection.notify("process/exited", { processId: "p", seq: 2, exitCode: 1 });
    connection.notify("process/closed", { processId: "p", seq: 3 });
  }, () => retained([], 4, { exited: true, exitCode: 1, closed: true, sandboxDenied: true }));
  await using _ = executor;
  assertEquals(followed.kinds, ["output", "exited", "closed"]);
  assert(followed.events.some((event) => event.kind === "exited" && event.sandboxDenied));
  assertEquals(executor.methods(), ["process/start", "process/read"]);
});

Deno.test("an executor that knows nothing of sandboxes denied nothing", async () => {
  const { followed, executor } = await followProcess((connection) => {
    connection.notify("process/exited", { processId: "p", seq: 1, exitCode: 1 });
    connection.notify("process/closed", { processId: "p", seq: 2 });
  }, () => retained([], 3, { exited: true, exitCode: 1, closed: true }));
  await using _ = executor;
  assert(followed.events.some((event) => event.kind === "exited" && !event.sandboxDenied));
});

Deno.test("events the wrong way round are put in order without a read", async () => {
  const { followed, executor } = await followProcess((connection) => {
    connection.notify("process/output", output(2, "two "));
    connection.notify("process/output", output(1, "one "));
    connection.notify("process/closed", { processId: "p", seq: 5 });
    connection.notify("process/exited", { ...EXITED, seq: 4 });
    connection.notify("process/output", output(3, "three"));
  });
  await using _ = executor;
  assertEquals(followed.text(), "one two three");
  assertEquals(followed.kinds, ["output", "exited", "closed"]);
  assertEquals(executor.methods(), ["process/start"]);
});

Deno.test("an event twice is one event", async () => {
  const { followed, executor } = await followProcess((connection) => {
    for (let time = 0; time < 2; time++) {
      connection.notify("process/output", output(1, "once"));
      connection.notify("process/exited", { ...EXITED, seq: 2 });
    }
    connection.notify("process/closed", { processId: "p", seq: 3 });
  });
  await using _ = executor;
  assertEquals(followed.events.length, 3);
  assertEquals(followed.text(), "once");
});

Deno.test("a gap costs one read", async () => {
  const { followed, executor } = await followProcess((connection) => {
    connection.notify("process/output", output(1, "one "));
    connection.notify("process/output", output(3, "three"));
    connection.notify("process/closed", { processId: "p", seq: 5 });
  }, () =>
    retained([[2, "two "], [3, "three"]], 6, {
      exited: true,
      exitCode: 3,
      closed: true,
      sandboxDenied: false,
    }));
  await using _ = executor;
  assertEquals(followed.text(), "one two three");
  assertEquals(followed.exitCode, 3);
  assertEquals(followed.kinds, ["output", "exited", "closed"]);
  assertEquals(executor.methods(), ["process/start", "process/read"]);
});

Deno.test("a gap that nothing can fill fails and terminates that process alone", async () => {
  await using executor = new ScriptedExecutor(({ method, params, connection }) => {
    if (method === "process/read") return retained([[3, "three"]], 4);
    if (method !== "process/start" || params.processId !== "p") return;
    queueMicrotask(() => {
      connection.notify("process/output", output(1, "one "));
      connection.notify("process/output", output(3, "three"));
    });
  });
  await using client = await ExecServerClient.connect(executor.url);
  const process = await client.start({ ...shell(""), processId: "p" });
  const other = new Followed(await client.start({ ...shell(""), processId: "q" }));
  const followed = new Followed(process);
  await followed.end();
  assertInstanceOf(followed.failure, ProcessError);
  assertEquals(followed.failure.code, "outputLost");
  assertEquals(followed.text(), "one ");
  assertEquals(await process.completion.catch((error) => error), followed.failure);
  assertEquals((await executor.request("process/terminate")).params, { processId: "p" });
  const [connection] = executor.connections;
  connection?.notify("process/exited", { ...EXITED, processId: "q", seq: 1 });
  connection?.notify("process/closed", { processId: "q", seq: 2 });
  await other.end();
  assertEquals(other.exitCode, 3);
});

Deno.test("a consumer that lags behind costs one read", async () => {
  await using executor = new ScriptedExecutor(({ method, connection }) => {
    if (method === "process/read") {
      return retained([[2, "22"], [3, "33"], [4, "44"], [6, "66"]], 8, {
        exited: true,
        exitCode: 3,
        closed: true,
      });
    }
    if (method !== "process/start") return;
    connection.notify("process/output", output(1, "11"));
    connection.notify("process/output", output(2, "22"));
    connection.notify("process/output", output(3, "33"));
    connection.notify("process/output", output(4, "44"));
    connection.notify("process/exited", { ...EXITED, seq: 5 });
    connection.notify("process/output", output(6, "66"));
    connection.notify("process/closed", { processId: "p", seq: 7 });
  });
  await using client = await ExecServerClient.connect(executor.url, { maxBufferedBytes: 3 });
  const process = await client.start({ ...shell(""), processId: "p" });
  assertEquals((await process.completion).exitCode, 3);
  const followed = new Followed(process);
  await followed.end();
  assertEquals(followed.text(), "1122334466");
  assertEquals(followed.kinds, ["output", "exited", "output", "closed"]);
  assertEquals(executor.methods(), ["process/start", "process/read"]);
});

Deno.test("output that a lagging consumer cannot have any more fails the process", async () => {
  const { followed, executor } = await followProcess(
    (connection) => {
      for (let seq = 1; seq <= 5; seq++) connection.notify("process/output", output(seq, "xx"));
    },
    () => retained([[5, "xx"]], 6),
    { maxBufferedBytes: 3 },
  );
  await using _ = executor;
  assertInstanceOf(followed.failure, ProcessError);
  assertEquals(followed.failure.code, "outputLost");
  await executor.request("process/terminate");
});

Deno.test("a failure that a read reports fails the process", async () => {
  const { followed, executor } = await followProcess((connection) => {
    connection.notify("process/closed", { processId: "p", seq: 9 });
  }, () => retained([], 10, { failure: "the disk is on fire" }));
  await using _ = executor;
  assertEquals(followed.failure?.message, "the disk is on fire");
});

for (
  const [what, frame] of [
    ["no JSON", "hello"],
    ["no message", "[]"],
    ["a request", '{"id":1,"method":"process/start","params":{}}'],
    ["an event of another form", '{"method":"process/output","params":{"processId":"p"}}'],
    [
      "an event with bad base64",
      `{"method":"process/output","params":${JSON.stringify({ ...output(1, ""), chunk: "!" })}}`,
    ],
  ] as const
) {
  Deno.test(`an executor that sends ${what} is none`, async () => {
    await using executor = new ScriptedExecutor(({ method, connection }) => {
      if (connection.number > 1) return SILENCE;
      if (method === "environment/info") queueMicrotask(() => connection.send(frame));
    });
    const interrupted = Promise.withResolvers<ConnectionError>();
    await using client = await ExecServerClient.connect(executor.url, {
      onInterrupted: interrupted.resolve,
    });
    await client.environmentInfo();
    assertEquals((await settled(interrupted.promise, "the end")).code, "notAnExecutor");
  });
}

Deno.test("notifications that this client does not know are left alone", async () => {
  const { followed, executor } = await followProcess((connection) => {
    connection.notify("process/dreamt", { processId: "p", seq: 1 });
    connection.notify("process/output", output(7, "x", "unknown process"));
    connection.notify("process/exited", { ...EXITED, seq: 1 });
    connection.notify("process/closed", { processId: "p", seq: 2 });
  });
  await using _ = executor;
  assertEquals(followed.exitCode, 3);
});
