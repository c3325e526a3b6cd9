import { assertEquals } from "@std/assert";
import { MemoryTrimmer } from "../../src/server/memory_trimmer.ts";

const MIB = 1024 * 1024;

/** Waits for what a trimmer does; its timers do not keep a program up. */
async function released(use: (trimmer: MemoryTrimmer) => void): Promise<void> {
  const alive = setInterval(() => {}, 1000);
  await new Promise<void>((resolve) => use(new MemoryTrimmer(64 * MIB, resolve)));
  clearInterval(alive);
}

Deno.test("memory is given back once large messages have stopped", async () => {
  await released((trimmer) => trimmer.used(20 * MIB));
});

Deno.test("memory is given back at once when they were too many", async () => {
  let quiet = false;
  const timer = setTimeout(() => quiet = true, 1000);
  await released((trimmer) => {
    trimmer.used(50 * MIB);
    trimmer.used(50 * MIB);
  });
  assertEquals(quiet, false);
  clearTimeout(timer);
});
