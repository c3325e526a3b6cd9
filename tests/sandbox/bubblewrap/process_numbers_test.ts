import { assert, assertEquals } from "@std/assert";
import { ProcessNumbers } from "../../../src/sandbox/bubblewrap/process_numbers.ts";

Deno.test("sandboxes number their processes in places apart, all of which the kernel takes", () => {
  const limit = 32_768;
  const numbers = new ProcessNumbers(limit);
  const drawn = Array.from({ length: 150 }, () => numbers.next());
  assertEquals(drawn.filter((number) => number < 300 || number + 211 > limit), []);
  const ordered = drawn.toSorted((left, right) => left - right);
  assert(ordered.every((number, at) => number - (ordered[at - 1] ?? 0) >= 211));
});

Deno.test("numbers stay valid where the kernel has few", () => {
  const numbers = new ProcessNumbers(301);
  assertEquals([numbers.next(), numbers.next()], [300, 300]);
});
