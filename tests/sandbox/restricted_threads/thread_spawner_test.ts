import { assertEquals, assertRejects } from "@std/assert";
import type { SpawnCall } from "../../../src/os/spawn.ts";
import { ThreadSpawner } from "../../../src/sandbox/restricted_threads/thread_spawner.ts";
import { settled } from "../../support/patience.ts";

const part = () => new Uint8Array(new ArrayBuffer(8));
const CALL: SpawnCall = [part(), part(), part(), part(), part(), part()];

/** How often what programs inherit is held now, and was. */
let [held, times] = [0, 0];
function hold(): Disposable {
  held++;
  times++;
  return { [Symbol.dispose]: () => void held-- };
}

Deno.test("what programs inherit is not held while another start is waited for", async () => {
  const spawner = new ThreadSpawner(() => undefined);
  const before = times;
  const starts = [1, 2, 3].map(() => spawner.spawn(CALL, hold));
  assertEquals([held, times - before], [0, 1]);
  spawner.end();
  for (const start of starts) {
    await assertRejects(() => settled(start, "its end"), Error, "has ended");
  }
  assertEquals([held, times - before], [0, 1]);
});

Deno.test("a start on a thread that ends meanwhile fails, and holds nobody up", async () => {
  const spawner = new ThreadSpawner(() => undefined);
  const start = spawner.spawn(CALL, hold);
  const next = spawner.spawn(CALL, hold);
  spawner.end();
  await assertRejects(() => settled(start, "its end"), Error, "has ended");
  await assertRejects(() => settled(next, "the next one's end"), Error, "has ended");
  await assertRejects(() => settled(spawner.spawn(CALL, hold), "another"), Error, "has ended");
});

Deno.test("a start on a thread that fails meanwhile fails for the same reason", async () => {
  const spawner = new ThreadSpawner(() => undefined);
  const start = spawner.spawn(CALL, hold);
  spawner.end();
  spawner.fail(new Error("out of luck"));
  await assertRejects(() => settled(start, "its end"), Error, "out of luck");
  assertEquals(await Promise.resolve("still here"), "still here");
});
