import { assertEquals, assertNotEquals, assertObjectMatch } from "@std/assert";
import { base64 } from "../support/base64.ts";
import { type Connector, testWebSocket } from "../support/both_transports.ts";
import { command, run, shell, start, waitForOutput } from "../support/commands.ts";
import { exists } from "../support/files.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import { eventually } from "../../support/patience.ts";
import type { RawClient } from "../support/raw_client.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

testWebSocket("a dropped session is resumed with its processes", async ({ connect }) => {
  await using client = await connect();
  const sessionId = await client.initialize();
  await start(client, command("p", ["/bin/cat"], { pipeStdin: true }));
  await client.close();

  await using resumed = await resume({ connect }, sessionId);
  assertObjectMatch(await resumed.request("process/read", { processId: "p" }), {
    error: { code: -32600 },
  });
  resumed.notify("initialized");
  await resumed.request("process/write", { processId: "p", chunk: base64("hi"), writeId: "w" });
  assertObjectMatch(await resumed.event("p"), { params: { seq: 1, chunk: base64("hi") } });
});

testWebSocket("a session can be resumed after a violation, again and again", async (connector) => {
  await using client = await connector.connect();
  const sessionId = await client.initialize();
  client.notify("nonsense");
  await client.ended;
  for (let round = 0; round < 3; round++) {
    await using resumed = await resume(connector, sessionId);
    resumed.notify("initialized");
    assertObjectMatch(await resumed.request("environment/info"), { result: {} });
  }
});

testWebSocket("an attached session cannot be resumed", async ({ connect, open }, t) => {
  await using holder = await connect();
  const { result } = await holder.request("initialize", { clientName: "holder" });
  const sessionId = isRecord(result) ? result.sessionId : undefined;
  const params = { clientName: "other", resumeSessionId: sessionId };
  await using other = await connect();
  await t.step("before its holder sent initialized", async () => {
    assertObjectMatch(await other.request("initialize", params), { error: { code: -32010 } });
  });
  holder.notify("initialized");
  await t.step("and after", async () => {
    assertObjectMatch(await other.request("initialize", params), { error: { code: -32010 } });
  });
  await t.step("and the same connection may open another", async () => {
    assertNotEquals(await other.initialize(), sessionId);
    assertObjectMatch(await other.request("environment/info"), { result: {} });
  });
  await t.step("and its holder notices nothing", async () => {
    assertObjectMatch(await holder.request("environment/info"), { result: {} });
  });
  await using third = await open();
  assertObjectMatch(await third.request("environment/info"), { result: {} });
});

testWebSocket(
  "whose session somebody else ends learns how its processes ended, and is let go",
  async (connector) => {
    await using holder = await connector.connect();
    const sessionId = await holder.initialize();
    await start(holder, shell("p", "exec sleep 1000"));
    await using other = await connector.open();
    assertObjectMatch(await other.request("session/end", { sessionId }), { result: {} });
    assertEquals((await holder.events("p")).map(({ method }) => method), [
      "process/exited",
      "process/closed",
    ]);
    await holder.ended;
  },
);

testWebSocket(
  "that a session ends with its connection is over when another has the session",
  async (connector) => {
    await using leaving = await connector.connect();
    const sessionId = await leaving.initialize();
    await start(leaving, command("p", ["/bin/cat"], { pipeStdin: true }));
    await leaving.request("session/end", {});
    await using taking = await connector.connect();
    const params = { clientName: "taking", resumeSessionId: sessionId, takeOver: true };
    assertObjectMatch(await taking.request("initialize", params), { result: { sessionId } });
    await leaving.ended;
    await taking.close();
    await using resumed = await resume(connector, sessionId);
    resumed.notify("initialized");
    assertObjectMatch(await resumed.request("process/terminate", { processId: "p" }), {
      result: { running: true },
    });
  },
);

testWebSocket("a session's id is taken literally", async (connector) => {
  await using client = await connector.connect();
  const sessionId = await client.initialize();
  await client.close();
  await using other = await connector.connect();
  for (const wrong of [sessionId.toUpperCase(), ` ${sessionId}`, sessionId.slice(1)]) {
    if (wrong === sessionId) continue;
    const params = { clientName: "other", resumeSessionId: wrong };
    assertObjectMatch(await other.request("initialize", params), { error: { code: -32600 } });
  }
});

/** Says `a`, then `b` when told to by a file, then `c`, and exits with 5. */
const GAP = "wait_for() { until test -e $1; do sleep 0.02; done; };" +
  "printf a; wait_for b; printf b; touch said-b; wait_for c; printf c; exit 5";

testWebSocket("what a resumed client has missed is there to be read", async (connector) => {
  using directory = new TemporaryDirectory();
  await using client = await connector.connect();
  const sessionId = await client.initialize();
  await start(client, shell("p", GAP, { cwd: `file://${directory.path}` }));
  await waitForOutput(client, "p", "a");
  await client.close();

  directory.write("b", "", 0o644);
  await eventually(() => exists(`${directory.path}/said-b`), "b");
  await using resumed = await resume(connector, sessionId);
  resumed.notify("initialized");
  assertObjectMatch(await resumed.request("process/read", { processId: "p" }), {
    result: {
      chunks: [{ seq: 1, chunk: base64("a") }, { seq: 2, chunk: base64("b") }],
      nextSeq: 3,
      exited: false,
    },
  });
  directory.write("c", "", 0o644);
  const events = await resumed.events("p");
  assertEquals(events.map(({ params }) => isRecord(params) ? params.seq : undefined), [3, 4, 5]);
});

testWebSocket("an end that a resumed client has missed is there to be read", async (connector) => {
  using directory = new TemporaryDirectory();
  await using client = await connector.connect();
  const sessionId = await client.initialize();
  await start(client, shell("p", GAP, { cwd: `file://${directory.path}` }));
  await waitForOutput(client, "p", "a");
  await client.close();

  directory.write("b", "", 0o644);
  directory.write("c", "", 0o644);
  await using resumed = await resume(connector, sessionId);
  resumed.notify("initialized");
  const read = { processId: "p", afterSeq: 100, waitMs: 100_000 };
  assertObjectMatch(await resumed.request("process/read", read), { result: { closed: true } });
  assertObjectMatch(await resumed.request("process/read", { processId: "p", afterSeq: 1 }), {
    result: { exited: true, exitCode: 5, closed: true },
  });
});

testWebSocket("a waiting read does not survive its connection", async (connector) => {
  await using client = await connector.connect();
  const sessionId = await client.initialize();
  await start(client, command("p", ["/bin/cat"], { pipeStdin: true }));
  client.send('{"id":1,"method":"process/read","params":{"processId":"p","waitMs":100000}}');
  await client.close();

  await using resumed = await resume(connector, sessionId);
  resumed.notify("initialized");
  await resumed.request("process/write", { processId: "p", chunk: base64("hi"), writeId: "w" });
  assertObjectMatch(await resumed.event("p"), { method: "process/output" });
  await resumed.request("environment/info");
  assertEquals(resumed.inbox.unclaimed, []);
});

testWebSocket("sessions know nothing of each other's processes", async ({ open }) => {
  await using mine = await open();
  await using theirs = await open();
  await start(mine, command("p", ["/bin/cat"], { pipeStdin: true }));

  const foreign: readonly (readonly [method: string, params: Message, answer: Message])[] = [
    ["process/read", {}, { error: { code: -32600 } }],
    ["process/write", { chunk: "", writeId: "w" }, { result: { status: "unknownProcess" } }],
    ["process/signal", { signal: "interrupt" }, { result: {} }],
    ["process/terminate", {}, { result: { running: false } }],
    ["process/resize", { rows: 1, cols: 1 }, { error: { code: -32600 } }],
  ];
  for (const [method, params, answer] of foreign) {
    assertObjectMatch(await theirs.request(method, { processId: "p", ...params }), answer);
  }

  assertEquals((await run(theirs, shell("p", "exit 3"))).exitCode, 3);
  await mine.request("process/write", { processId: "p", chunk: base64("hi"), writeId: "w" });
  assertObjectMatch(await mine.event("p"), { params: { seq: 1, chunk: base64("hi") } });
  assertEquals(mine.inbox.unclaimed, []);
  assertEquals(theirs.inbox.unclaimed, []);
});

/** Attaches a new connection to a session, as soon as the executor has noticed that it is free. */
async function resume(
  { connect }: Pick<Connector, "connect">,
  resumeSessionId: string,
): Promise<RawClient> {
  const client = await connect();
  await eventually(async () => {
    const answer = await client.request("initialize", { clientName: "resumed", resumeSessionId });
    if (isRecord(answer.error) && answer.error.code === -32010) return false;
    assertObjectMatch(answer, { result: { sessionId: resumeSessionId } });
    return true;
  }, "a session to be detached");
  return client;
}
