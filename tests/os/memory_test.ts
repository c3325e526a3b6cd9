import { assertEquals } from "@std/assert";
import { memoryLimit } from "../../src/os/memory.ts";
import { canLimitMemory, MemoryGroup } from "../support/memory_group.ts";

Deno.test("there is no more memory than the machine has", () => {
  assertEquals(memoryLimit() > 0 && memoryLimit() <= Deno.systemMemoryInfo().total, true);
});

Deno.test({
  name: "a control group has less memory than the machine",
  ignore: !canLimitMemory,
  fn: async () => {
    const bytes = 512 * 1024 * 1024;
    using group = MemoryGroup.make(bytes);
    const module = new URL("../../src/os/memory.ts", import.meta.url).href;
    const code = `console.log((await import("${module}")).memoryLimit())`;
    const [program = "", ...args] = [
      ...group?.launch.launcher ?? [],
      ...[Deno.execPath(), "eval", "--no-config", code],
    ];
    const { stdout } = await new Deno.Command(program, { args }).output();
    assertEquals(Number(new TextDecoder().decode(stdout)), bytes);
  },
});
