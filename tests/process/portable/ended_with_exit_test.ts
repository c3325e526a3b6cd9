import { assertEquals } from "@std/assert";
import { type ChildObserver } from "../../../src/process/child.ts";
import { PortableChild } from "../../../src/process/portable/child.ts";
import type { OutputObserver } from "../../../src/process/portable/child.ts";

Deno.test("portable: where outputs end with the exit, the end is not waited for", async () => {
  const exit = Promise.withResolvers<number>();
  const ended = Promise.withResolvers<void>();
  const told: unknown[] = [];
  const observer: ChildObserver = {
    output: (stream, bytes) => told.push([stream, bytes[0]]),
    exited: (exitCode) => told.push(exitCode),
    ended: ended.resolve,
  };
  let closed = false;
  const outputs: OutputObserver[] = [];
  const open = (output: OutputObserver) => {
    outputs.push(output);
    return { pause() {}, resume() {}, close: () => void (closed = true) };
  };
  new PortableChild({
    pid: 1,
    exit: exit.promise,
    input: undefined,
    outputs: [{ stream: "pty", open }],
    outputsEndWithExit: true,
  }, observer);
  exit.resolve(7);
  await exit.promise;
  outputs[0]?.bytes(Uint8Array.of(1));
  await ended.promise;
  assertEquals([told, closed], [[["pty", 1], 7], true]);
});
