import { assertEquals, assertThrows } from "@std/assert";
import { parseJson } from "../../src/protocol/parse_json.ts";

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
