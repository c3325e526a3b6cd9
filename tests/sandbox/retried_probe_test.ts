import { assertEquals } from "@std/assert";
import { RetriedProbe } from "../../src/sandbox/retried_probe.ts";

Deno.test("probe: a final answer is asked for once, by all that want it at once", async () => {
  let asked = 0;
  const probe = new RetriedProbe({
    ask: () => Promise.resolve(++asked),
    isFinal: () => true,
  });
  assertEquals(await Promise.all([probe.answer(), probe.answer()]), [1, 1]);
  assertEquals([await probe.answer(), asked], [1, 1]);
});

Deno.test("probe: one that may pass holds for a while, and is told when it has passed", async () => {
  let asked = 0;
  const told: unknown[] = [];
  const probe = new RetriedProbe({
    ask: () => Promise.resolve(++asked > 1),
    isFinal: (works) => works,
    told: (answer, before) => told.push([answer, before]),
  });
  assertEquals([await probe.answer(), asked], [false, 1]);
  while (!await probe.answer()) await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(asked, 2);
  assertEquals(told, [[false, undefined], [true, false]]);
});

Deno.test("probe: a failure to ask is not remembered", async () => {
  let asked = 0;
  const probe = new RetriedProbe({
    ask: () => ++asked === 1 ? Promise.reject(new Error("no")) : Promise.resolve(asked),
    isFinal: () => true,
  });
  assertEquals(await probe.answer().catch(() => "failed"), "failed");
  assertEquals(await probe.answer(), 2);
});
