import { assertEquals, assertMatch } from "@std/assert";
import {
  encodeError,
  encodeNotification,
  encodeRequest,
  encodeRequestInParts,
  encodeResult,
  JsonParts,
  JsonText,
  type Message,
  parseMessage,
  type RequestId,
} from "../../src/protocol/envelope.ts";

function reasonOf(message: Message): string {
  return message.kind === "malformed" ? message.reason : `no error: ${message.kind}`;
}

Deno.test("a message is told apart by its members", () => {
  const cases: [text: string, expected: Message][] = [
    ['{"id":1,"method":"a"}', { kind: "request", id: 1, method: "a", params: undefined }],
    ['{"id":"x","method":"","params":null}', {
      kind: "request",
      id: "x",
      method: "",
      params: null,
    }],
    ['{"method":"a","params":[1]}', { kind: "notification", method: "a", params: [1] }],
    ['{"id":1,"result":null}', { kind: "result", id: 1, result: null }],
    ['{"id":1,"error":{"code":-3,"message":"no"}}', {
      kind: "error",
      id: 1,
      error: { code: -3, message: "no" },
    }],
    [' {"id":0,"method":"a","result":1,"jsonrpc":7,"trace":[]}\r\n', {
      kind: "request",
      id: 0,
      method: "a",
      params: undefined,
      trace: [],
    }],
    ['{"id":1,"method":5,"result":6}', { kind: "result", id: 1, result: 6 }],
  ];
  for (const [text, expected] of cases) assertEquals(parseMessage(text), expected, text);
});

Deno.test("an id that is neither integer nor text makes no notification", () => {
  for (const id of ["null", "true", "1.5", "1e30", "-1e400", "{}", "[1]", '{"id":1}']) {
    const message = parseMessage(`{"id":${id},"method":"a"}`);
    const reason = "an id is an integer or a string";
    assertEquals(message, { kind: "malformed", reason }, id);
  }
});

Deno.test("what is no message is malformed, and says why", () => {
  const cases: [text: string, reason: RegExp][] = [
    ["", /^not valid JSON: /],
    ["hello", /^not valid JSON: /],
    ['{"id":1,"method":', /^not valid JSON: /],
    ['{"id":1,"method":"a"}{}', /^not valid JSON: /],
    ['\ufeff{"id":1,"method":"a"}', /^not valid JSON: /],
    ["{'id':1}", /^not valid JSON: /],
    ["null", /^not a request/],
    ["5", /^not a request/],
    ['"a"', /^not a request/],
    ['[{"id":1,"method":"a"}]', /^not a request/],
    ["{}", /^not a request/],
    ['{"id":7}', /^not a request/],
    ['{"id":7,"method":5}', /^not a request/],
    ['{"result":1}', /^not a request/],
    ['{"id":null,"result":1}', /^not a request/],
    ['{"error":{"code":1,"message":"a"}}', /^not a request/],
    ['{"id":1,"error":"a"}', /^not a request/],
    ['{"id":1,"error":{"code":1.5,"message":"a"}}', /^not a request/],
    ['{"id":1,"error":{"code":1}}', /^not a request/],
  ];
  for (const [text, reason] of cases) assertMatch(reasonOf(parseMessage(text)), reason, text);
});

Deno.test("members that an object only inherits do not count", () => {
  const text = '{"__proto__":{"id":1,"method":"a","result":2}}';
  assertMatch(reasonOf(parseMessage(text)), /^not a request/);
});

Deno.test("every id comes back as it was", () => {
  const ids = [
    "0",
    "-5",
    "9007199254740991",
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    '""',
    '"12"',
    '"a\\"\\\\\\n"',
    '"\\u0000"',
    '"__proto__"',
  ];
  for (const id of ids) {
    const message = parseMessage(`{"params":{"id":3},"id":${id},"method":"a"}`);
    const given: RequestId = message.kind === "request" ? message.id : "no request";
    assertEquals(encodeResult(given, {}), `{"id":${id},"result":{}}`);
    assertEquals(encodeError(given, { code: 1, message: "" }).endsWith(`,"id":${id}}`), true, id);
  }
});

Deno.test("of an id given twice the last counts, however large", () => {
  const large = "9007199254740993";
  assertEquals(parseMessage(`{"id":${large},"method":"a","id":4}`), {
    kind: "request",
    id: 4,
    method: "a",
    params: undefined,
  });
  assertEquals(parseMessage(`{"id":4,"method":"a","id":${large}}`), {
    kind: "request",
    id: 9007199254740993n,
    method: "a",
    params: undefined,
  });
});

Deno.test("large numbers inside the parameters stay what they are beside a large id", () => {
  const message = parseMessage('{"id":9007199254740993,"method":"a","params":{"id":1,"b":[2]}}');
  assertEquals(message.kind === "request" && message.params, { id: 1, b: [2] });
});

Deno.test("nesting without end is answered, not fatal", () => {
  const depth = 100_000;
  const nested = "[".repeat(depth) + "]".repeat(depth);
  assertEquals(parseMessage(`{"id":1,"method":"a","params":${nested}}`).kind, "request");
  const withLargeId = parseMessage(`{"id":9007199254740993,"method":"a","params":${nested}}`);
  assertEquals(reasonOf(withLargeId), "nested too deeply");
});

Deno.test("messages are encoded without members that have no value", () => {
  const cases: [actual: string, expected: string][] = [
    [
      encodeRequest(1, "a", { b: undefined, c: null }),
      '{"id":1,"method":"a","params":{"c":null}}',
    ],
    [encodeRequest("x", "a", undefined), '{"id":"x","method":"a","params":null}'],
    [encodeResult(1, undefined), '{"id":1,"result":null}'],
    [
      encodeError(-1, { code: -32600, message: 'a "b"' }),
      '{"error":{"code":-32600,"message":"a \\"b\\""},"id":-1}',
    ],
    [encodeNotification("a/b", {}), '{"method":"a/b","params":{}}'],
  ];
  for (const [actual, expected] of cases) assertEquals(actual, expected);
});

Deno.test("what is encoded is valid JSON even where text is not valid Unicode", () => {
  assertEquals(
    encodeRequest("\ud800", "a", "\udfff"),
    String
      .raw`{"id":"\ud800","method":"a","params":"\udfff"}`,
  );
});

Deno.test("a result that is JSON text already goes into the answer as it is", () => {
  const parts = encodeRequestInParts(7, "a", new JsonParts(['{"a":', '"b"}']));
  assertEquals(parts.join(""), encodeRequest(7, "a", { a: "b" }));
  assertEquals(encodeResult(7, new JsonText('{"a":"b"}')), '{"id":7,"result":{"a":"b"}}');
});
