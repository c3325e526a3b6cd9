import { assertEquals, assertThrows } from "@std/assert";
import { checkJsonLimits, JsonLimitError, parseJson } from "../../src/protocol/json.ts";

const LONG = "QUJD".repeat(100_000);
const BACKSLASHES = "\\/AB".repeat(100_000);

/** Messages of every shape in which the long text may stand, and some in which it only seems to. */
const MESSAGES: Record<string, string> = {
  "bytes last": `{"id":1,"method":"m","params":{"path":"file:///a","dataBase64":"${LONG}"}}`,
  "bytes first": `{"params":{"dataBase64":"${LONG}","path":"file:///a"},"id":1,"method":"m"}`,
  "white space": `{ "id" : 1, "params" : { "dataBase64" :\n"${LONG}" , "x" : [1] } }`,
  "a chunk": `{"id":1,"params":{"chunk":"${LONG}","writeId":"\\u0041"}}`,
  "escaped slashes": `{"id":1,"params":{"dataBase64":"${BACKSLASHES}"}}`,
  "an escaped quote": `{"id":1,"params":{"dataBase64":"${LONG}\\"${LONG}"}}`,
  "a member twice": `{"params":{"dataBase64":"${LONG}","dataBase64":"x"}}`,
  "the other way round": `{"params":{"dataBase64":"x","dataBase64":"${LONG}"}}`,
  "a longer name": `{"params":{"x\\"dataBase64":"${LONG}","dataBase64":"x"}}`,
  "a name in a text": `{"params":{"path":"\\"dataBase64\\":\\"","dataBase64":"${LONG}"}}`,
  "not in params": `{"dataBase64":"${LONG}","params":{}}`,
  "no params": `{"result":{"dataBase64":"${LONG}"}}`,
  "a result": `{"jsonrpc":"2.0","id":1,"result":{"chunk":"${LONG}","eof":false}}`,
  "in both": `{"params":{"chunk":"x"},"result":{"chunk":"${LONG}"}}`,
  "deeper": `{"params":{"env":{"chunk":"${LONG}"},"chunk":"x"}}`,
  "beyond where it is looked for": `{"params":{"x":"${LONG}","dataBase64":"${LONG}"}}`,
  "an array": `[{"params":{"dataBase64":"${LONG}"}}]`,
  "no object": `"${LONG}"`,
};

for (const [what, text] of Object.entries(MESSAGES)) {
  Deno.test(`a long message is what JSON.parse makes of it: ${what}`, () => {
    assertEquals(JSON.stringify(parseJson(text)), JSON.stringify(JSON.parse(text)));
  });
}

const BROKEN: Record<string, string> = {
  "no end": `{"params":{"dataBase64":"${LONG}`,
  "something behind": `{"params":{"dataBase64":"${LONG}"}}}`,
  "a name without its quote": `{"params":{"a":"b"dataBase64":"${LONG}"}}`,
  "a wrong escape": `{"params":{"dataBase64":"${LONG}\\q"}}`,
};

for (const [what, text] of Object.entries(BROKEN)) {
  Deno.test(`a long message that is no JSON is refused: ${what}`, () => {
    assertThrows(() => parseJson(text), SyntaxError);
  });
}

const LIMITS = { depth: 3, values: 10 };

const WITHIN: Record<string, string> = {
  "as deep as may be": "[[[]]]",
  "one beside the other": "[[[]],[[]]]",
  "as many values as may be": "[1,2,3,4,5,6,7,8,9]",
  "brackets in a string": `["${"[".repeat(20)}"]`,
  "commas behind an escaped quote": `["\\"${",".repeat(20)}"]`,
  "brackets behind an escaped backslash and quote": `["\\\\\\"${"[".repeat(20)}"]`,
  "a string that has no end": `["${"[".repeat(20)}`,
  "an escape at the end": `["\\`,
  "nothing": "",
  "the empty string": `["",""]`,
};

for (const [what, text] of Object.entries(WITHIN)) {
  Deno.test(`is within the limits: ${what}`, () => checkJsonLimits(text, LIMITS));
}

const BEYOND: Record<string, string> = {
  "too deep": "[[[[]]]]",
  "too deep in objects": `{"a":{"b":{"c":{}}}}`,
  "too many numbers": "[1,2,3,4,5,6,7,8,9,10]",
  "too many objects": `[${"{},".repeat(5)}1]`,
  "too many members": `{${'"a":1,'.repeat(10)}"a":1}`,
  "behind a string that ends in a backslash": `["\\\\",[[[]]]]`,
  "behind the empty string": `["",[[[]]]]`,
};

for (const [what, text] of Object.entries(BEYOND)) {
  Deno.test(`is beyond the limits: ${what}`, () => {
    assertThrows(() => checkJsonLimits(text, LIMITS), JsonLimitError);
  });
}
