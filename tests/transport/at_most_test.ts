import { assertEquals } from "@std/assert";
import { atMost } from "../../src/transport/at_most.ts";

Deno.test("atMost waits for a promise, however it settles, and leaves no timer", async () => {
  await atMost(3_600_000, Promise.resolve());
  await atMost(3_600_000, Promise.reject(new Error("broken")));
  let settled = false;
  const slow = new Promise((resolve) => setTimeout(resolve, 1)).then(() => settled = true);
  await atMost(3_600_000, slow);
  assertEquals(settled, true);
});

Deno.test("atMost does not wait for ever", async () => {
  await atMost(1, new Promise(() => {}));
});
