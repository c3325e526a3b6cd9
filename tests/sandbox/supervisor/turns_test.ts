import { assertEquals } from "@std/assert";
import { Turns } from "../../../src/sandbox/supervisor/turns.ts";

Deno.test("one of each kind is served in turn, however much there is of one", () => {
  const turns = new Turns<string, number>();
  for (const item of [1, 2, 3]) turns.add("many", item);
  assertEquals(turns.next(), 1);
  turns.add("one", 10);
  turns.add("other", 20);
  turns.add("many", 4);
  const served = [];
  while (!turns.isEmpty) served.push(turns.next());
  assertEquals(served, [2, 10, 20, 3, 4]);
  assertEquals(turns.next(), undefined);
});
