import { assert, assertEquals } from "@std/assert";
import { testSandboxed } from "./support/sandboxed.ts";

testSandboxed("each numbers its processes from elsewhere", async ({ script }) => {
  const say = "echo $$; sh -c 'echo $$'; [ -d /proc/$$ ] && echo there";
  const outcomes = await Promise.all(Array.from({ length: 4 }, () => script(say)));
  const numbers = outcomes.flatMap(({ stdout, stderr }) => {
    const [own, childs, there] = stdout.split("\n");
    assertEquals([there, stderr], ["there", ""]);
    return [Number(own), Number(childs)];
  });
  assert(numbers.every((number) => number >= 300), numbers.join());
  assertEquals(new Set(numbers).size, numbers.length, numbers.join());
});
