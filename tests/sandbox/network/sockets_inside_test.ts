import { assertEquals, assertRejects } from "@std/assert";
import { fewAtOnce } from "../../../src/sandbox/network/sockets_inside.ts";

Deno.test("no more than so many run at once, in their order, also after failures", async () => {
  const run = fewAtOnce(2);
  const begun: number[] = [];
  const gates = Array.from({ length: 5 }, () => Promise.withResolvers<number>());
  const results = gates.map(({ promise }, index) =>
    run(() => {
      begun.push(index);
      return promise;
    })
  );
  const turn = () => new Promise((resolve) => setTimeout(resolve));
  await turn();
  assertEquals(begun, [0, 1]);
  gates[1]?.reject(new Error("broken"));
  await assertRejects(() => Promise.resolve(results[1]), Error, "broken");
  await turn();
  assertEquals(begun, [0, 1, 2]);
  for (const [index, { resolve }] of gates.entries()) resolve(index);
  assertEquals(await Promise.all(results.filter((_, index) => index !== 1)), [0, 2, 3, 4]);
  assertEquals(begun, [0, 1, 2, 3, 4]);
});
