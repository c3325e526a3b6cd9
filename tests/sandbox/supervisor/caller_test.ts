import { assertEquals, assertThrows } from "@std/assert";
import { CallError } from "../../../src/sandbox/supervisor/call_error.ts";
import { ThreadStatuses } from "../../../src/sandbox/supervisor/caller.ts";

Deno.test({
  name: "what is told of a thread is about that thread, and of one that is gone nothing",
  ignore: Deno.build.os !== "linux",
  // The C library stays open.
  sanitizeResources: false,
  fn: async () => {
    using statuses = new ThreadStatuses();
    const [child, other] = ["60", "61"].map((seconds) =>
      new Deno.Command("sleep", { args: [seconds] }).spawn()
    );
    if (child === undefined || other === undefined) return;
    for (const { pid } of [child, other, child]) assertEquals(statuses.read(pid).process, pid);
    child.kill("SIGKILL");
    await child.status;
    assertThrows(() => statuses.read(child.pid), CallError);
    assertEquals(statuses.read(other.pid).process, other.pid);
    other.kill("SIGKILL");
    await other.status;
  },
});
