import { assert, assertEquals, assertMatch, assertObjectMatch } from "@std/assert";
import { userInfo } from "node:os";
import { pathToFileURL } from "node:url";
import { testBoth } from "../support/both_transports.ts";
import { shell } from "../support/commands.ts";
import { isRecord, type Message } from "../support/inbox.ts";

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A valid request of each method family. */
const REQUESTS: Readonly<Record<string, Message>> = {
  "environment/info": {},
  "process/start": shell("p", "true"),
  "process/read": { processId: "p" },
  "process/write": { processId: "p", chunk: "", writeId: "w" },
  "process/signal": { processId: "p", signal: "interrupt" },
  "process/terminate": { processId: "p" },
  "process/resize": { processId: "p", rows: 24, cols: 80 },
};

testBoth("initialize opens a session", async ({ connect }) => {
  await using client = await connect();
  const answer = await client.request("initialize", { clientName: "test" });
  assert(isRecord(answer.result));
  assertMatch(String(answer.result.sessionId), UUID_V4);
  client.notify("initialized");
  const { result } = await client.request("environment/info");
  assertEquals(result, answer.result.environmentInfo);
});

testBoth("the environment is described", async ({ open }) => {
  await using client = await open();
  const path = userInfo().shell || "/bin/sh";
  assertObjectMatch(await client.request("environment/info", {}), {
    result: {
      shell: { name: path.slice(path.lastIndexOf("/") + 1), path },
      cwd: pathToFileURL(Deno.cwd()).href,
      userHomeDir: "file:///home%20of/user",
      platformOs: Deno.build.os === "darwin" ? "macos" : Deno.build.os,
      tempDir: "file:///var/tmp",
      temporaryDirectories: [],
      prependPathDirs: [],
      capabilities: { processResize: true },
    },
  });
}, { env: { HOME: "/home of/user", TMPDIR: "/var/tmp", SHELL: "/bin/other" } });

testBoth("nothing is done before initialize and initialized", async ({ connect }, t) => {
  await using client = await connect();
  const refuseAll = async () => {
    for (const [method, params] of Object.entries(REQUESTS)) {
      assertObjectMatch(await client.request(method, params), { error: { code: -32600 } });
    }
  };
  await t.step("before initialize", refuseAll);
  await client.request("initialize", { clientName: "test" });
  await t.step("before initialized", refuseAll);
  client.notify("initialized");
  await t.step("after both", async () => {
    assertObjectMatch(await client.request("process/read", { processId: "p" }), {
      error: { code: -32600, message: "unknown process id p" },
    });
  });
});

testBoth("parameters are looked at before the place in the conversation", async ({ connect }) => {
  await using client = await connect();
  assertObjectMatch(await client.request("process/start", {}), { error: { code: -32602 } });
  await client.request("initialize", { clientName: "test" });
  assertObjectMatch(await client.request("process/start", {}), { error: { code: -32602 } });
  assertObjectMatch(await client.request("initialize", {}), { error: { code: -32602 } });
});

/** Parameters of initialize, as JSON, and the code of the error. */
const BAD_INITIALIZE: readonly (readonly [params: unknown, code: number])[] = [
  [undefined, -32602],
  [null, -32602],
  [5, -32602],
  ["x", -32602],
  [{}, -32602],
  [{ client_name: "x" }, -32602],
  [{ clientName: 1 }, -32602],
  [{ clientName: null }, -32602],
  [{ clientName: "x", resumeSessionId: 5 }, -32602],
  [{ clientName: "x", resumeSessionId: "" }, -32600],
  [{ clientName: "x", resumeSessionId: "nope" }, -32600],
  [{ clientName: "x", resumeSessionId: crypto.randomUUID() }, -32600],
];

testBoth("a failed initialize may be tried again", async ({ connect }, t) => {
  await using client = await connect();
  for (const [params, code] of BAD_INITIALIZE) {
    await t.step(JSON.stringify(params) ?? "none", async () => {
      assertObjectMatch(await client.request("initialize", params), { error: { code } });
      assertObjectMatch(await client.request("environment/info"), { error: { code: -32600 } });
    });
  }
  await client.initialize();
  assertObjectMatch(await client.request("environment/info"), { result: {} });
});

testBoth("initialize takes what it does not need", async ({ connect }, t) => {
  const accepted = [
    { clientName: "" },
    { clientName: "x", resumeSessionId: null },
    { clientName: "x", foo: [1], capabilities: {} },
  ];
  for (const params of accepted) {
    await t.step(JSON.stringify(params), async () => {
      await using client = await connect();
      assertObjectMatch(await client.request("initialize", params), { result: {} });
    });
  }
});

testBoth("a second initialize is refused and changes nothing", async ({ connect }) => {
  await using client = await connect();
  await client.request("initialize", { clientName: "test" });
  const again = await client.request("initialize", { clientName: "test" });
  assertObjectMatch(again, { error: { code: -32600 } });
  client.notify("initialized");
  const resumed = await client.request("initialize", { clientName: "x", resumeSessionId: "x" });
  assertObjectMatch(resumed, { error: { code: -32600 } });
  assertObjectMatch(await client.request("environment/info"), { result: {} });
});

testBoth("initialized may come again, with anything", async ({ open }) => {
  await using client = await open();
  for (const params of [undefined, null, { a: 1 }, [1], 5, "x"]) {
    client.notify("initialized", params);
  }
  assertObjectMatch(await client.request("environment/info"), { result: {} });
});

testBoth("initialize, initialized and requests may be sent at once", async ({ connect }) => {
  await using client = await connect();
  client.send('{"id":1,"method":"initialize","params":{"clientName":"x"}}');
  client.send('{"method":"initialized"}');
  client.send('{"id":2,"method":"environment/info"}');
  client.send('{"id":3,"method":"process/terminate","params":{"processId":"p"}}');
  assertObjectMatch(await client.answer(1), { result: {} });
  assertObjectMatch(await client.answer(2), { result: {} });
  assertEquals((await client.answer(3)).result, { running: false });
});

testBoth("initialized before initialize ends the connection", async ({ connect }, t) => {
  await t.step("at once", async () => {
    await using client = await connect();
    client.notify("initialized");
    await client.ended;
  });
  await t.step("after a failed initialize", async () => {
    await using client = await connect();
    await client.request("initialize", {});
    client.notify("initialized");
    await client.ended;
  });
});
