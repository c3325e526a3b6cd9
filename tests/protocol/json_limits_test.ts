import { assertThrows } from "@std/assert";
import { checkJsonLimits, JsonLimitError } from "../../src/protocol/json_limits.ts";

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
