import { assertEquals } from "@std/assert";
import { ClosedProcesses } from "../../src/server/closed_processes.ts";

const LONG_MS = 60_000;

Deno.test("only so many are remembered, and those that were closed first go first", () => {
  const evicted: string[] = [];
  const closed = new ClosedProcesses(2, LONG_MS);
  const memories = ["a", "b", "c", "d"].map((name) => closed.remember(() => evicted.push(name)));
  assertEquals(evicted, ["a", "b"]);
  memories.forEach((memory) => closed.forget(memory));
});

Deno.test("what is forgotten makes room and is not evicted", () => {
  const evicted: string[] = [];
  const closed = new ClosedProcesses(2, LONG_MS);
  const remember = (name: string) => closed.remember(() => evicted.push(name));
  const memories = [remember("a"), remember("b")];
  closed.forget(memories[0] ?? remember("never"));
  memories.push(remember("c"));
  assertEquals(evicted, []);
  memories.forEach((memory) => closed.forget(memory));
});

Deno.test("each is evicted when its time is over", async () => {
  const closed = new ClosedProcesses(2, 0);
  // The timer does not keep the program up.
  const alive = setInterval(() => {}, 1);
  await new Promise<void>((resolve) => closed.remember(resolve).startForgetting());
  clearInterval(alive);
});

Deno.test("its time begins again for a client that was away, and never for some", async () => {
  const evicted: string[] = [];
  const closed = new ClosedProcesses(9, 0);
  const alive = setInterval(() => {}, 1);
  const away = closed.remember(() => evicted.push("away"));
  away.startForgetting();
  away.stopForgetting();
  closed.remember(() => evicted.push("kept"), { withoutEnd: true }).startForgetting();
  await new Promise<void>((resolve) => closed.remember(resolve).startForgetting());
  assertEquals(evicted, []);
  away.startForgetting();
  await new Promise<void>((resolve) => closed.remember(resolve).startForgetting());
  assertEquals(evicted, ["away"]);
  clearInterval(alive);
});
