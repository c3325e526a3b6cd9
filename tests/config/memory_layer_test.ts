import { assertEquals } from "@std/assert";
import { Configuration, type Layer } from "../../src/config/configuration.ts";
import { enforceRequirements } from "../../src/config/enforce.ts";
import { fitIntoMemory } from "../../src/config/memory_layer.ts";
import { parseRequirements } from "../../src/config/requirements.ts";

const MIB = 1024 * 1024;

function shares(memory: number, layers: Layer[] = []): [number, number] {
  const configuration = fitIntoMemory(new Configuration(layers), memory);
  return [configuration.get("memoryBudget"), configuration.get("maxMessageBytes")];
}

Deno.test("what nobody decided is a share of the memory where that is small", () => {
  assertEquals(shares(64 * 1024 * MIB), [2048 * MIB, 64 * MIB]);
  assertEquals(shares(512 * MIB), [128 * MIB, 32 * MIB]);
  assertEquals(shares(256 * MIB), [64 * MIB, 16 * MIB]);
  // Shares below what may be set at all are the least that may.
  assertEquals(shares(8 * MIB), [16 * MIB, MIB]);
});

Deno.test("what somebody decided holds, whatever the memory", () => {
  const layer: Layer = new Map([
    ["maxMessageBytes", { value: 32 * MIB, origin: { layer: "command line", option: "" } }],
  ]);
  assertEquals(shares(256 * MIB, [layer]), [64 * MIB, 32 * MIB]);
});

Deno.test("what is required and what the memory allows hold together: the lesser is in force", async () => {
  const demands = `{ "maximum": { "memoryBudget": ${100 * MIB} } }`;
  const requirements = await parseRequirements(demands, "/etc/remex/requirements.jsonc");
  const required = enforceRequirements(new Configuration([]), requirements);
  assertEquals(fitIntoMemory(required, 256 * MIB).get("memoryBudget"), 64 * MIB);
  assertEquals(fitIntoMemory(required, 2048 * MIB).get("memoryBudget"), 100 * MIB);
  assertEquals(fitIntoMemory(required, 256 * MIB).origin("memoryBudget"), {
    layer: "memory",
    bytes: 256 * MIB,
  });
});
