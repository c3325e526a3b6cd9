import { assert, assertFalse } from "@std/assert";
import { GatedProcesses } from "../../../src/sandbox/supervisor/gated_processes.ts";

Deno.test("another thread sees who waits at a gate, until that is opened", () => {
  const here = new GatedProcesses();
  const there = new GatedProcesses(here.memory);
  here.enter(300);
  here.enter(301);
  assert(there.has(300));
  here.leave(300);
  assertFalse(there.has(300));
  assert(there.has(301));
  here.enter(302);
  assert(there.has(302));
});

Deno.test("where there is no room left, nobody is taken to wait who does not", () => {
  const gated = new GatedProcesses();
  for (let pid = 1; pid <= 1000; pid++) gated.enter(pid);
  assertFalse(gated.has(1000));
  assertFalse(gated.has(0));
  gated.leave(1000);
  gated.leave(1);
  gated.enter(1000);
  assert(gated.has(1000));
});
