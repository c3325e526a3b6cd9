import { assertEquals, assertObjectMatch } from "@std/assert";
import { testBoth } from "../support/both_transports.ts";

/** Answered with id -1 and code -32600, and the connection goes on. */
const MALFORMED: Readonly<Record<string, string>> = {
  "no JSON": "hello",
  "JSON that is cut off": '{"id":1,"method":',
  "two objects": '{"id":1,"method":"a"} {"id":2,"method":"b"}',
  "a byte order mark": '\ufeff{"id":1,"method":"environment/info"}',
  "an empty array": "[]",
  "a batch": '[{"id":1,"method":"environment/info"}]',
  "a number": "5",
  "a string": '"x"',
  "null": "null",
  "true": "true",
  "an empty object": "{}",
  "an unknown member alone": '{"foo":1}',
  "an id alone": '{"id":7}',
  "a method that is no string": '{"id":7,"method":5}',
  "an error without an id": '{"error":{"code":1,"message":"x"}}',
  "an id that is null": '{"id":null,"method":"environment/info"}',
  "an id that is a boolean": '{"id":true,"method":"environment/info"}',
  "an id that is an object": '{"id":{},"method":"environment/info"}',
  "an id with a fraction": '{"id":1.5,"method":"environment/info"}',
  "an error with id null": '{"id":null,"error":{"code":1,"message":"x"}}',
  "an error that is none": '{"id":1,"error":5}',
};

testBoth("what is no message is answered with id -1", async ({ open }, t) => {
  await using client = await open();
  for (const [name, frame] of Object.entries(MALFORMED)) {
    await t.step(name, async () => {
      client.send(frame);
      assertObjectMatch(await client.answer(-1), { error: { code: -32600 } });
      assertObjectMatch(await client.request("environment/info"), { result: {} });
    });
  }
});

/** Ends the connection without an answer. */
const VIOLATIONS: Readonly<Record<string, string>> = {
  "an unknown notification": '{"method":"$/cancelRequest","params":{"id":1}}',
  "a request's name without an id": '{"method":"process/start","params":{}}',
  "a result": '{"id":1,"result":{}}',
  "a result that is null": '{"id":1,"result":null}',
  "an error": '{"id":1,"error":{"code":1,"message":"x"}}',
};

testBoth("a violation ends the connection", async ({ open }, t) => {
  for (const [name, frame] of Object.entries(VIOLATIONS)) {
    await t.step(name, async () => {
      await using client = await open();
      client.send('{"id":1,"method":"environment/info"}');
      client.send(frame);
      assertObjectMatch(await client.answer(1), { result: {} });
      const { code } = await client.ended;
      assertEquals(code, client.kind === "websocket" ? 4400 : 0);
      assertEquals(client.inbox.unclaimed, []);
    });
  }
});

/** Ids, as JSON, that come back as they were. */
const IDS = [
  '"abc"',
  '""',
  '"12"',
  '"\\"\\u0001é"',
  "0",
  "-5",
  "9007199254740991",
  "9007199254740993",
  "9223372036854775807",
  "-9223372036854775808",
];

testBoth("ids come back as they were", async ({ open }, t) => {
  await using client = await open();
  for (const id of IDS) {
    await t.step(id, async () => {
      client.send(`{"id":${id},"method":"environment/info"}`);
      const { text } = await client.inbox.next(() => true, "an answer");
      assertEquals(/"id":("(?:[^"\\]|\\.)*"|-?\d+)/.exec(text)?.[1], id);
    });
  }
});

/** Members that mean nothing, or mean nothing here. */
const ANSWERED: Readonly<Record<string, string>> = {
  "a member jsonrpc": '{"jsonrpc":"2.0","id":1,"method":"environment/info"}',
  "unknown members": '{"id":1,"method":"environment/info","foo":{"bar":[1]}}',
  "a result beside the method": '{"id":1,"method":"environment/info","result":5}',
  "a trace context": '{"id":1,"method":"environment/info","trace":{"traceparent":"x"}}',
  "a trace context of null": '{"id":1,"method":"environment/info","trace":null}',
  "params of null": '{"id":1,"method":"environment/info","params":null}',
  "empty params": '{"id":1,"method":"environment/info","params":{}}',
  "white space around it": ' \t{ "id" : 1 , "method" : "environment/info" } \r',
};

testBoth("members that mean nothing are ignored", async ({ open }, t) => {
  await using client = await open();
  for (const [name, frame] of Object.entries(ANSWERED)) {
    await t.step(name, async () => {
      client.send(frame);
      assertObjectMatch(await client.answer(1), { result: {} });
    });
  }
});

testBoth("an unknown method is answered -32601", async ({ connect }) => {
  await using client = await connect();
  const methods = ["foo/bar", "", "initialized", "process/output", "rpc.discover", "toString"];
  for (const method of methods) {
    assertObjectMatch(await client.request(method, {}), { error: { code: -32601 } });
  }
  await client.initialize();
  for (const method of methods) {
    assertObjectMatch(await client.request(method, {}), { error: { code: -32601 } });
  }
});

testBoth("deep nesting does no harm", async ({ open }) => {
  await using client = await open();
  const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
  client.send(`{"id":1,"method":"environment/info","params":${deep}}`);
  assertObjectMatch(await client.answer(1), { error: { code: -32600 } });
  client.send(`{"id":2,"method":"process/start","params":{"processId":"p","argv":${deep}}}`);
  assertObjectMatch(await client.answer(2), { error: { code: -32600 } });
  client.send(`{"id":9007199254740993,"method":"environment/info","params":${deep}}`);
  assertObjectMatch(await client.answer(-1), { error: { code: -32600 } });
  assertObjectMatch(await client.request("environment/info"), { result: {} });
});
