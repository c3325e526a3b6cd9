import { assertEquals, assertRejects } from "@std/assert";
import type { SpawnCall } from "../../../src/os/spawn.ts";
import { ThreadSpawner } from "../../../src/sandbox/restricted_threads/thread_spawner.ts";
import { settled } from "../../support/patience.ts";

const part = () => new Uint8Array(new ArrayBuffer(8));
const CALL: SpawnCall = [part(), part(), part(), part(), part(), part()];

Deno.test("a start on a thread that ends meanwhile fails, and holds nobody up", async () => {
  const spawner = new ThreadSpawner(() => undefined);
  const start = spawner.spawn(CALL, () => {});
  const next = spawner.spawn(CALL, () => {});
  spawner.end();
  await assertRejects(() => settled(start, "its end"), Error, "has ended");
  await assertRejects(() => settled(next, "the next one's end"), Error, "has ended");
  await assertRejects(() => settled(spawner.spawn(CALL, () => {}), "another"), Error, "has ended");
});

Deno.test("a start on a thread that fails meanwhile fails for the same reason", async () => {
  const spawner = new ThreadSpawner(() => undefined);
  const start = spawner.spawn(CALL, () => {});
  spawner.end();
  spawner.fail(new Error("out of luck"));
  await assertRejects(() => settled(start, "its end"), Error, "out of luck");
  assertEquals(await Promise.resolve("still here"), "still here");
});
