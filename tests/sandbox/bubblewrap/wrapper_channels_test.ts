import { assertEquals } from "@std/assert";
import { parseBubblewrapStatus } from "../../../src/sandbox/bubblewrap/wrapper_channels.ts";

const STARTED = '{ "child-pid": 12, "net-namespace": 4026532184 }\n';

for (
  const [what, text, firstProcess, exitCode] of [
    ["nothing", "", undefined, undefined],
    ["a start", STARTED, 12, undefined],
    ["a start and an end", `${STARTED}{ "exit-code": 0 }\n`, 12, 0],
    ["an end that is not whole", `${STARTED}{ "exit-`, 12, undefined],
    ["something newer", `{ "else": 1 }\n${STARTED}`, 12, undefined],
  ] as const
) {
  Deno.test(`bubblewrap tells of ${what}`, () => {
    assertEquals(parseBubblewrapStatus(text), { firstProcess, exitCode });
  });
}
